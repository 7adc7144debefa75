using Vivarium.Linux;
using Vivarium.Linux.Processes;

namespace Vivarium.Guest.Init;

/// <summary>
/// What the agent does before it serves: it adopts orphans, protects itself, and as PID 1 brings up what the engine left to do. Failures here
/// are logged and not fatal: an engine may have done it already, or not allow it.
/// </summary>
internal static class InitDuties
{
    private const string OomScore = "-999";

    /// <summary>Runs them; returns the directory for the agent's own files.</summary>
    public static string Run(bool isInit)
    {
        Try("adopt orphans", isInit ? Reaper.Start : Reaper.BecomeSubreaper);
        Try("become the last victim of memory shortage", ProtectFromOom);
        if (isInit)
        {
            Try("bring up the loopback interface", SystemCalls.RaiseLoopback);
            Try("prepare /tmp", () => Sticky("/tmp"));
            Try("prepare /dev/shm", () => Sticky("/dev/shm"));
        }

        return RunDirectory(isInit);
    }

    private static void ProtectFromOom()
    {
        // Needs CAP_SYS_RESOURCE unless the engine set it already; children are started with 0.
        using var file = File.OpenHandle("/proc/self/oom_score_adj", FileMode.Open, FileAccess.Write);
        RandomAccess.Write(file, System.Text.Encoding.ASCII.GetBytes(OomScore), 0);
    }

    private static void Sticky(string directory)
    {
        const UnixFileMode Everyone = (UnixFileMode)0x1FF | UnixFileMode.StickyBit;
        if (!Directory.Exists(directory))
        {
            Directory.CreateDirectory(directory);
            File.SetUnixFileMode(directory, Everyone);
        }
    }

    private static string RunDirectory(bool isInit)
    {
        const UnixFileMode OwnerWrites = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        var directory = Environment.GetEnvironmentVariable("VIV_RUN_DIR")
            ?? (isInit ? "/run/vivarium" : $"/dev/shm/viv-guest-{Guid.NewGuid():N}");
        Try("make the run directory", () => Directory.CreateDirectory(directory, OwnerWrites));
        return directory;
    }

    private static void Try(string what, Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or LinuxException)
        {
            ConsoleLog.Write($"cannot {what}: {e.Message}");
        }
    }
}
