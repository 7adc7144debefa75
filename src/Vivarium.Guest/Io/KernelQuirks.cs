namespace Vivarium.Guest.Io;

/// <summary>Where a kernel that calls itself Linux differs in a way we must know of.</summary>
internal static class KernelQuirks
{
    // gVisor reports this build in every version; see linuxVersion in its source (pkg/sentry/kernel).
    private const string GvisorBuild = "#1 SMP Sun Jan 10 15:06:54 PST 2016";

    /// <summary>Whether this is gVisor's kernel. It may lose 64 KiB of a full pipe when F_SETPIPE_SZ enlarges it (seen with version 20221219): only empty pipes are enlarged there.</summary>
    public static bool IsGvisor { get; } = Detect();

    private static bool Detect()
    {
        try
        {
            return File.ReadAllText("/proc/version").Contains(GvisorBuild, StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }
}
