using System.Runtime.InteropServices;
using Vivarium.Cli.Interop;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Daemon;

/// <summary>Finds our other programs: beside this one, as a build lays them out, or as an installation does.</summary>
internal static class Programs
{
    public static string Daemon()
    {
        var self = Path.GetDirectoryName(Environment.ProcessPath) ?? "/";
        string[] places = [Path.Combine(self, "vivd", "vivd"), Path.Combine(self, "vivd"), Path.Combine(self, "..", "lib", "vivarium", "vivd", "vivd")];
        return places.FirstOrDefault(File.Exists) is { } found
            ? Path.GetFullPath(found)
            : throw new VivariumException(ErrorCode.NotFound, $"the program vivd is not beside {Environment.ProcessPath}", "build or install Vivarium as a whole", "vivd_missing");
    }

    /// <summary>Its arguments.</summary>
    public static string[] DaemonArguments(string? configFile) => configFile is null ? ["run"] : ["run", "--config", Path.GetFullPath(configFile)];

    /// <summary>Replaces this process by the program, same descriptors, the daemon's environment. Returns only by throwing.</summary>
    public static unsafe int Become(string program, string[] arguments)
    {
        var argv = Pointers([program, .. arguments]);
        var environment = Pointers([.. DaemonStarter.DaemonEnvironment()]);

        // SAFETY: both arrays end in a null pointer and stay allocated; execve either replaces us or returns.
        fixed (nint* a = argv, e = environment)
        {
            _ = Posix.execve(program, a, e);
        }

        throw new VivariumException(ErrorCode.Internal, $"{program} cannot be executed: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
    }

    private static nint[] Pointers(string[] words) => [.. words.Select(Marshal.StringToCoTaskMemUTF8), 0];
}
