using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Errors;

namespace Vivarium.Runtimes.Oci;

/// <summary>
/// A gVisor container's processes and memory as files. A directory that holds them has the engine's files in <c>image/</c> and, as <c>viv-guest</c>, the very agent that ran:
/// its pages that were never written are not in the image but read from that file again.
/// </summary>
internal sealed class MemoryImage : IDisposable
{
    private const string ImageName = "image";
    private const string AgentName = "viv-guest";
    private const long BytesPerSecond = 10_000_000;
    private const int LongestCause = 300;

    private static readonly TimeSpan CommandDeadline = TimeSpan.FromSeconds(30);

    private readonly OciEngine engine;
    private readonly string state;
    private readonly string id;

    /// <summary>The agent as it was when the sandbox started, whatever lies at its path later.</summary>
    private readonly SafeFileHandle agent;

    public MemoryImage(OciEngine engine, string state, string id, string agentPath)
    {
        this.engine = engine;
        this.state = state;
        this.id = id;
        agent = File.OpenHandle(agentPath);
    }

    /// <summary>The engine's files of a saved sandbox.</summary>
    public static string ImageIn(string directory) => Path.Combine(directory, ImageName);

    /// <summary>The agent of a saved sandbox.</summary>
    public static string AgentIn(string directory) => Path.Combine(directory, AgentName);

    /// <summary>Throws unless the directory holds a saved sandbox.</summary>
    public static void Require(string directory)
    {
        if (!Directory.Exists(ImageIn(directory)) || !File.Exists(AgentIn(directory)))
        {
            throw new VivariumException(ErrorCode.NotFound, $"cannot restore the sandbox: {directory} holds no saved memory", reason: "no_memory_image");
        }
    }

    /// <summary>Stops every process, by the engine.</summary>
    public Task StandAsync(CancellationToken cancellationToken) => RunAsync(engine.Command(state, "pause", id), "stop the processes", CommandDeadline, cancellationToken);

    /// <summary>Lets them go on.</summary>
    public Task GoOnAsync(CancellationToken cancellationToken) => RunAsync(engine.Command(state, "resume", id), "let the processes go on", CommandDeadline, cancellationToken);

    /// <summary>Gives the running sandbox another host name.</summary>
    public Task RenameAsync(string hostname, CancellationToken cancellationToken) =>
        RunAsync(engine.SetHostname(state, id, hostname), "set the host name", CommandDeadline, cancellationToken);

    /// <summary>Saves what stands still into a directory; all of it is on disk when this returns.</summary>
    public async Task SaveAsync(string directory, long memoryLimit, CancellationToken cancellationToken)
    {
        var image = ImageIn(directory);
        await RunAsync(engine.Checkpoint(state, image, id), "save the memory", CommandDeadline + TimeSpan.FromSeconds(memoryLimit / BytesPerSecond), cancellationToken).ConfigureAwait(false);
        CopyAgent(AgentIn(directory));
        foreach (var file in Directory.EnumerateFiles(image))
        {
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite);
            RandomAccess.FlushToDisk(handle);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => agent.Dispose();

    private void CopyAgent(string path)
    {
        using var copy = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute,
        });
        var buffer = new byte[1024 * 1024];
        for (long at = 0; RandomAccess.Read(agent, buffer, at) is var read and > 0; at += read)
        {
            copy.Write(buffer, 0, read);
        }

        copy.Flush(flushToDisk: true);
    }

    private static async Task RunAsync(IReadOnlyList<string> command, string what, TimeSpan deadline, CancellationToken cancellationToken)
    {
        var options = new ChildRunOptions { Timeout = deadline, EndedPipeAsInput = true, DieWithParent = true };
        var output = await ChildRun.RunAsync(command[0], [.. command.Skip(1)], options, cancellationToken).ConfigureAwait(false);
        if (!output.Succeeded)
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"cannot {what}: {(output.TimedOut ? $"runsc was not done after {deadline.TotalSeconds:0} s" : Cause(output.StderrText + output.StdoutText))}",
                "What the engine names stands in the way: end that process, or close that file, and try again.",
                "memory_not_saved");
        }
    }

    /// <summary>What a person can use of the engine's words: the first line, without the traces of its own code.</summary>
    private static string Cause(string said)
    {
        var line = said.Split('\n', 2)[0].Trim().TrimEnd(':');
        const string Prefix = "encoding error: ";
        var at = line.IndexOf(Prefix, StringComparison.Ordinal);
        line = at < 0 ? line : line[(at + Prefix.Length)..];
        return line.Length == 0 ? "runsc did not say why" : line.Length > LongestCause ? line[..LongestCause] : line;
    }
}
