using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor;

/// <summary>The files of a sandbox's runtime directory that belong to the supervisor protocol.</summary>
internal static partial class SupervisorFiles
{
    private const int MaxSpecBytes = 1024 * 1024;

    /// <summary>Of the specification, unknown members refused.</summary>
    public static JsonTypeInfo<SupervisorSpec> StrictSpec { get; } = (JsonTypeInfo<SupervisorSpec>)new SupervisorJson(
        new JsonSerializerOptions(SupervisorJson.Default.Options) { UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow }).GetTypeInfo(typeof(SupervisorSpec))!;

    public static string LockPath(string directory) => Path.Combine(directory, "supervisor.lock");

    public static string SocketPath(string directory) => Path.Combine(directory, "supervisor.sock");

    /// <summary>Takes the lock that proves this supervisor's life; held until the process ends.</summary>
    /// <exception cref="IOException">Somebody else holds it.</exception>
    public static FileStream Lock(string directory) => new(LockPath(directory), new FileStreamOptions
    {
        // FileShare.None is flock(LOCK_EX | LOCK_NB) on Unix, which the kernel drops when the process ends, however it ends.
        Mode = FileMode.OpenOrCreate,
        Access = FileAccess.ReadWrite,
        Share = FileShare.None,
        BufferSize = 0,
        UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
    });

    /// <summary>Reads the specification strictly: an unknown member means a daemon that expects what we cannot do.</summary>
    public static SupervisorSpec ReadSpec(string directory)
    {
        var path = Path.Combine(directory, "supervisor.json");
        if (new FileInfo(path).Length > MaxSpecBytes)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"{path} is larger than {MaxSpecBytes} bytes");
        }

        var spec = JsonSerializer.Deserialize(File.ReadAllBytes(path), StrictSpec)
            ?? throw new VivariumException(ErrorCode.InvalidArgument, $"{path} holds no specification");
        return spec.Protocol is >= SupervisorMethod.OldestProtocol and <= SupervisorMethod.Protocol
            ? spec
            : throw new VivariumException(ErrorCode.InvalidArgument, $"{path} is of protocol {spec.Protocol}, this supervisor speaks {SupervisorMethod.OldestProtocol} to {SupervisorMethod.Protocol}", "use programs of one build");
    }

    /// <summary>Writes the last word, atomically.</summary>
    public static void WriteExit(string directory, string phase, string reason, string? message, IReadOnlyList<string> leftovers)
    {
        var record = new ExitRecord
        {
            Phase = phase,
            Reason = reason,
            Message = message,
            UnixMs = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(),
            Leftovers = leftovers.Count == 0 ? null : leftovers,
        };
        var path = Path.Combine(directory, "exit.json");
        using (var file = new FileStream(path + ".new", FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0))
        {
            file.Write(JsonSerializer.SerializeToUtf8Bytes(record, SupervisorJson.Default.ExitRecord));
        }

        File.Move(path + ".new", path, overwrite: true);
    }

    /// <summary>Lets go of standard output: whoever waited for <c>ready</c> sees its end, and a reader that goes away cannot hurt us later.</summary>
    public static void DetachOutput()
    {
        using var nothing = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.Write);
        _ = Dup2((int)nothing.DangerousGetHandle(), 1);
    }

    /// <summary>The same for standard input: what this process starts must not find the daemon's pipe there.</summary>
    public static void DetachInput()
    {
        using var nothing = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.Read);
        _ = Dup2((int)nothing.DangerousGetHandle(), 0);
    }

    [LibraryImport("libc", EntryPoint = "dup2")]
    private static partial int Dup2(int from, int to);
}
