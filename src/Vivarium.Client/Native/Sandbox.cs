using System.Text;
using System.Text.Json;
using Vivarium.Transport.Guest;
using Vivarium.Transport.Host;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Client;

/// <summary>One sandbox. It holds nothing: letting go of it changes nothing, <see cref="DestroyAsync"/> ends the sandbox.</summary>
public sealed partial class Sandbox
{
    private readonly HostClient host;

    internal Sandbox(HostClient host, string id)
    {
        this.host = host;
        Id = id;
    }

    /// <summary>Its id, 20 characters of [a-z0-9].</summary>
    public string Id { get; }

    /// <summary>How it is now.</summary>
    public Task<SandboxInfo> InfoAsync(CancellationToken cancellationToken = default) => host.GetAsync(Id, cancellationToken);

    /// <summary>Calls a tool, as an agent does.</summary>
    /// <param name="name">Name of the tool.</param>
    /// <param name="arguments">An object that fits its schema; <see cref="ToolArguments"/> makes one.</param>
    /// <param name="callId">Makes the call safe to repeat: the same id gives the first call's answer.</param>
    /// <param name="cancellationToken">Stops waiting; the tool goes on.</param>
    public Task<ToolReply> CallToolAsync(string name, JsonElement arguments, string? callId = null, CancellationToken cancellationToken = default) =>
        host.CallToolAsync(new ToolParams { Ref = Id, Name = name, Arguments = arguments, CallId = callId }, cancellationToken);

    /// <summary>The content of a file.</summary>
    /// <exception cref="VivariumException">not_found, permission_denied.</exception>
    public async Task<byte[]> ReadFileAsync(string path, CancellationToken cancellationToken = default)
    {
        using var content = new MemoryStream();
        var files = await FilesAsync(cancellationToken).ConfigureAwait(false);
        await using (files.ConfigureAwait(false))
        {
            await files.ReadFileAsync(path, null, content, cancellationToken).ConfigureAwait(false);
        }

        return content.ToArray();
    }

    /// <summary>The content of a text file, UTF-8.</summary>
    public async Task<string> ReadTextAsync(string path, CancellationToken cancellationToken = default) =>
        Encoding.UTF8.GetString(await ReadFileAsync(path, cancellationToken).ConfigureAwait(false));

    /// <summary>Writes a file in one step: a reader sees the old content or the new. Missing directories are made.</summary>
    public async Task WriteFileAsync(string path, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        using var source = new MemoryStream(content.ToArray(), writable: false);
        var files = await FilesAsync(cancellationToken).ConfigureAwait(false);
        await using (files.ConfigureAwait(false))
        {
            await files.WriteFileAsync(path, null, source, null, parents: true, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Writes a text file, UTF-8.</summary>
    public Task WriteTextAsync(string path, string content, CancellationToken cancellationToken = default) => WriteFileAsync(path, Encoding.UTF8.GetBytes(content), cancellationToken);

    /// <summary>A connection to the sandbox's files for everything else: lists, watches, archives.</summary>
    public async Task<FilesClient> FilesAsync(CancellationToken cancellationToken = default) =>
        new(await host.OpenPortAsync(Id, GuestPort.Files, cancellationToken).ConfigureAwait(false));

    /// <summary>Freezes it in memory; with <paramref name="disk"/> its processes end and a resume starts anew from its files.</summary>
    public Task<SandboxInfo> PauseAsync(bool disk = false, CancellationToken cancellationToken = default) => host.PauseAsync(new PauseParams { Ref = Id, Disk = disk }, cancellationToken);

    /// <summary>Lets it go on.</summary>
    public Task<SandboxInfo> ResumeAsync(CancellationToken cancellationToken = default) => host.ResumeAsync(Id, cancellationToken);

    /// <summary>Ends its processes; the files stay.</summary>
    public Task<SandboxInfo> StopAsync(CancellationToken cancellationToken = default) => host.StopAsync(new StopSandboxParams { Ref = Id }, cancellationToken);

    /// <summary>Starts a stopped or failed one.</summary>
    public Task<SandboxInfo> StartAsync(CancellationToken cancellationToken = default) => host.StartAsync(Id, cancellationToken);

    /// <summary>Closes a turn of an agent: a numbered snapshot, which costs nothing when nothing has changed.</summary>
    public Task<SnapshotInfo> CompleteTurnAsync(string? label = null, string? message = null, CancellationToken cancellationToken = default) =>
        host.CompleteTurnAsync(new TurnParams { Ref = Id, Label = label, Message = message }, cancellationToken);

    /// <summary>Takes a named snapshot.</summary>
    public Task<SnapshotInfo> SnapshotAsync(string? name = null, CancellationToken cancellationToken = default) =>
        host.SnapshotAsync(new SnapshotParams { Ref = Id, Name = name }, cancellationToken);

    /// <summary>Its snapshots, oldest first.</summary>
    public async Task<IReadOnlyList<SnapshotInfo>> SnapshotsAsync(CancellationToken cancellationToken = default) =>
        (await host.SnapshotsAsync(new SnapshotListParams { Ref = Id }, cancellationToken).ConfigureAwait(false)).Snapshots;

    /// <summary>Puts it back to a snapshot, by name, turn number or id. Later snapshots stay, as a branch.</summary>
    public Task<SandboxInfo> RollBackAsync(string snapshot, CancellationToken cancellationToken = default) =>
        host.RollBackAsync(new RollbackParams { Ref = Id, Snapshot = snapshot }, cancellationToken);

    /// <summary>What differs between two points; by default between the snapshot it comes from and now.</summary>
    public Task<DiffReply> DiffAsync(string? from = null, string? to = null, CancellationToken cancellationToken = default) =>
        host.DiffAsync(new DiffParams { Ref = Id, From = from, To = to }, cancellationToken);

    /// <summary>Makes sandboxes that begin with its files as they are now, or as they were at a snapshot; all or none.</summary>
    public async Task<IReadOnlyList<Sandbox>> ForkAsync(int count = 1, string? snapshot = null, CancellationToken cancellationToken = default)
    {
        var forks = await host.ForkAsync(new ForkParams { Ref = Id, Snapshot = snapshot, Count = count }, cancellationToken).ConfigureAwait(false);
        return [.. forks.Sandboxes.Select(fork => new Sandbox(host, fork.Id))];
    }

    /// <summary>Ends it for good. Again is no error.</summary>
    public Task DestroyAsync(CancellationToken cancellationToken = default) => host.DestroyAsync(new DestroyParams { Ref = Id, Force = true }, cancellationToken);
}
