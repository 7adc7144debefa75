using System.Runtime.InteropServices;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Processes;

/// <summary>Limits of this process. Source: prlimit(2).</summary>
public static unsafe partial class ResourceLimits
{
    /// <summary>Lowers a limit to at most <paramref name="most"/>, for good; one that is lower stays.</summary>
    public static void Lower(LimitKind kind, ulong most)
    {
        // SAFETY: struct rlimit64 is two 64-bit numbers, soft and hard; both calls use it only until they return.
        var limit = stackalloc ulong[2];
        Libc.Check(PrLimit(0, (int)kind, null, limit), "read a resource limit", null);
        (limit[0], limit[1]) = (Math.Min(limit[0], most), Math.Min(limit[1], most));
        Libc.Check(PrLimit(0, (int)kind, limit, null), "lower a resource limit", null);
    }

    [LibraryImport("libc", EntryPoint = "prlimit64", SetLastError = true)]
    private static partial int PrLimit(int pid, int resource, ulong* newLimit, ulong* oldLimit);
}
