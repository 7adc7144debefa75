using System.Runtime.InteropServices;

namespace Vivarium.Linux.Processes;

/// <summary>waitid(2) and wait4(2) as the reaper uses them.</summary>
internal static partial class ReaperNative
{
    private const int P_ALL = 0;
    private const int WNOHANG = 1;
    private const int WEXITED = 4;
    private const int WNOWAIT = 0x01000000;
    private const int SiginfoBytes = 128;
    private const int RusageBytes = 144;

    /// <summary>Blocks until a child is dead and returns its pid, leaving it a zombie; 0 when there is no child at all.</summary>
    public static unsafe int AwaitDeadChild()
    {
        // SAFETY: the buffer has the size of siginfo_t on every Linux; si_pid is the fifth int (signo, errno, code,
        // padding, then the union).
        var info = stackalloc int[SiginfoBytes / sizeof(int)];
        while (true)
        {
            if (WaitId(P_ALL, 0, info, WEXITED | WNOWAIT) == 0)
            {
                return info[4];
            }

            switch (Marshal.GetLastPInvokeError())
            {
                case Errno.EINTR:
                    continue;
                case Errno.ECHILD:
                    return 0;
                default:
                    throw LinuxException.Last("waitid", null);
            }
        }
    }

    /// <summary>Collects a zombie; null when there is none of that pid.</summary>
    public static unsafe ChildExit? Collect(int pid)
    {
        // SAFETY: the buffer has the size of struct rusage: two timevals of two longs, then fourteen longs.
        var usage = stackalloc long[RusageBytes / sizeof(long)];
        int status;
        int collected;
        do
        {
            collected = Wait4(pid, &status, WNOHANG, usage);
        }
        while (collected < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);

        if (collected != pid)
        {
            return null;
        }

        var signal = status & 0x7f;
        return new ChildExit(
            signal == 0 ? (status >> 8) & 0xff : null,
            signal == 0 ? null : signal,
            TimeSpan.FromSeconds(usage[0]) + TimeSpan.FromMicroseconds(usage[1]),
            TimeSpan.FromSeconds(usage[2]) + TimeSpan.FromMicroseconds(usage[3]),
            usage[4] * 1024);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    public static partial int Kill(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "waitid", SetLastError = true)]
    private static unsafe partial int WaitId(int idType, int id, int* info, int options);

    [LibraryImport("libc", EntryPoint = "wait4", SetLastError = true)]
    private static unsafe partial int Wait4(int pid, int* status, int options, long* usage);
}
