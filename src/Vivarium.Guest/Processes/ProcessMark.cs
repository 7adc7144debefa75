using System.Globalization;
using System.Text;
using Vivarium.Guest.Io;
using Vivarium.Linux.Processes;

namespace Vivarium.Guest.Processes;

/// <summary>
/// How a process that left its session, its parent and its environment behind is still known to belong to a tree. Every process we start carries a number in
/// RLIMIT_LOCKS, a resource limit no Linux kernel since 2.4.25 looks at: it is inherited across fork, exec and setsid, can only be lowered by the
/// unprivileged, and is read with one system call. Where that limit cannot be set (gVisor), an environment variable carries the number.
/// </summary>
internal static class ProcessMark
{
    private const string Variable = "VIV_PROC_ID";
    private const int RLIMIT_LOCKS = 10;

    // Far above any limit somebody would set, far below "unlimited", and different for each agent on a shared kernel (runtime "direct").
    private static readonly ulong Base = 0x5649_0000_0000_0000 | ((ulong)(uint)Environment.ProcessId << 24);
    private static readonly bool LimitWorks = Probe();

    /// <summary>The limits a process with this mark is started with.</summary>
    public static IEnumerable<ResourceLimit> Limits(uint mark) =>
        LimitWorks ? [new ResourceLimit((LimitKind)RLIMIT_LOCKS, Base + mark, Base + mark)] : [];

    /// <summary>The environment entries a process with this mark is started with.</summary>
    public static IEnumerable<string> Variables(uint mark) =>
        LimitWorks ? [] : [string.Create(CultureInfo.InvariantCulture, $"{Variable}={Base + mark}")];

    /// <summary>Whether a process carries this mark.</summary>
    public static unsafe bool IsOn(int pid, uint mark)
    {
        if (LimitWorks)
        {
            Libc.RLimit limit;

            // SAFETY: the kernel writes one RLimit to the address of a local.
            return Libc.Prlimit(pid, RLIMIT_LOCKS, null, &limit) == 0 && limit.Soft == Base + mark;
        }

        try
        {
            var environment = File.ReadAllBytes($"/proc/{pid}/environ");
            return environment.AsSpan().IndexOf(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Variable}={Base + mark}"))) >= 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static unsafe bool Probe()
    {
        Libc.RLimit before;
        Libc.RLimit after;

        // SAFETY: the kernel reads and writes one RLimit each time, all locals. The soft limit is set back to what it was.
        if (Libc.Prlimit(0, RLIMIT_LOCKS, null, &before) != 0)
        {
            return false;
        }

        var changed = new Libc.RLimit { Soft = Math.Min(Base, before.Hard), Hard = before.Hard };
        var works = before.Hard == ulong.MaxValue
            && Libc.Prlimit(0, RLIMIT_LOCKS, &changed, null) == 0
            && Libc.Prlimit(0, RLIMIT_LOCKS, null, &after) == 0
            && after.Soft == changed.Soft;
        _ = Libc.Prlimit(0, RLIMIT_LOCKS, &before, null);
        return works;
    }
}
