using Vivarium.Wire.Host;

namespace Vivarium.Client;

public sealed partial class Sandbox
{
    /// <summary>Starts a process that goes on by itself and is logged.</summary>
    /// <param name="binary">Program, looked up in the sandbox's PATH.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="exposedPort">TCP port it will listen on, reachable at <see cref="ProcessInfo.Address"/> while it runs.</param>
    /// <param name="cancellationToken">Stops waiting for its start.</param>
    public Task<ProcessInfo> LaunchAsync(string binary, IReadOnlyList<string>? arguments = null, int? exposedPort = null, CancellationToken cancellationToken = default) =>
        host.LaunchAsync(new LaunchProcessParams { Ref = Id, Binary = binary, Args = arguments, ExposedPort = exposedPort }, cancellationToken);

    /// <summary>Its processes, the running first.</summary>
    public async Task<IReadOnlyList<ProcessInfo>> ProcessesAsync(CancellationToken cancellationToken = default) =>
        (await host.ProcessesAsync(Id, cancellationToken).ConfigureAwait(false)).Processes;

    /// <summary>Waits for the end of a launched process, or until the patience is over; then it still runs.</summary>
    public Task<ProcessInfo> WaitAsync(string processId, TimeSpan? patience = null, CancellationToken cancellationToken = default) =>
        host.WaitProcessAsync(new ProcessParams { Ref = Id, Id = processId, WaitMs = (int?)patience?.TotalMilliseconds }, cancellationToken);

    /// <summary>Sends a signal to a launched process and all that came from it; one that has ended is no error.</summary>
    public Task KillAsync(string processId, int signal = 15, CancellationToken cancellationToken = default) =>
        host.KillAsync(new KillParams { Ref = Id, Id = processId, Signal = signal }, cancellationToken);

    /// <summary>
    /// A piece of a launched process's log, from a byte on that counts over the log's whole life: base64 of JSON lines with <c>t</c> (milliseconds since the Unix epoch), <c>s</c>
    /// (<c>stdout, stderr</c>), <c>d</c> (the text, or base64 when <c>b</c> is true).
    /// </summary>
    public Task<LogsReply> LogsAsync(string processId, long offset = 0, CancellationToken cancellationToken = default) =>
        host.LogsAsync(new LogsParams { Ref = Id, Id = processId, Offset = offset }, cancellationToken);
}
