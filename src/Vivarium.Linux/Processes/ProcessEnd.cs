using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Linux.Processes;

/// <summary>Waits for the end of a process that need not be our child. Sources: pidfd_open(2), poll(2).</summary>
public static partial class ProcessEnd
{
    private const long PidFdOpen = 434;
    private const short POLLIN = 1;

    /// <summary>
    /// Blocks until a process has ended (a zombie has) or the time is up, whichever is first; at once when there is none of that number. False when this kernel cannot tell.
    /// </summary>
    /// <param name="pid">Of the process.</param>
    /// <param name="atMost">1 to 60 000 ms.</param>
    public static unsafe bool Wait(int pid, TimeSpan atMost)
    {
        var descriptor = (int)Syscall((nint)PidFdOpen, pid, 0);
        if (descriptor < 0)
        {
            return Marshal.GetLastPInvokeError() == Errno.ESRCH;
        }

        using var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        var entry = new PollEntry { Descriptor = descriptor, Events = POLLIN };
        // SAFETY: one entry on this stack frame, for the length of the call; the handle keeps the descriptor open. An interrupted wait is a shorter one.
        _ = Poll(&entry, 1, (int)atMost.TotalMilliseconds);
        return true;
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Syscall(nint number, nint pid, nint flags);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static unsafe partial int Poll(PollEntry* entries, nuint count, int timeout);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public int Descriptor;
        public short Events;
        public short Reported;
    }
}
