using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.IO;

/// <summary>Pipes. Source: pipe(2), pipe(7), F_SETPIPE_SZ in fcntl(2).</summary>
public static partial class Pipe
{
    private const int F_SETPIPE_SZ = 1031;
    private const int F_GETPIPE_SZ = 1032;

    /// <summary>A new pipe; both ends blocking and close-on-exec.</summary>
    public static unsafe (SafeFileHandle Read, SafeFileHandle Write) Create()
    {
        var ends = stackalloc int[2];
        // SAFETY: pipe2 fills exactly two ints.
        Libc.Check(Pipe2(ends, Libc.O_CLOEXEC), "create a pipe", null);
        return (new SafeFileHandle(ends[0], ownsHandle: true), new SafeFileHandle(ends[1], ownsHandle: true));
    }

    /// <summary>Opens the writing end of a pipe by its path; ENXIO when nobody has the other end open.</summary>
    public static SafeFileHandle OpenWriteEnd(string path) => Libc.Open(path, Libc.O_WRONLY | Libc.O_NONBLOCK);

    /// <summary>
    /// Asks for a buffer of that many bytes (rounded up to a power of two; without privilege at most /proc/sys/fs/pipe-max-size, and less
    /// near the user's total). Returns the size it has now; where the kernel refuses (gVisor versions do) the size stays.
    /// </summary>
    public static int TrySetSize(SafeHandle pipe, int bytes)
    {
        var set = Libc.Fcntl(pipe, F_SETPIPE_SZ, bytes);
        return set > 0 ? set : Libc.Fcntl(pipe, F_GETPIPE_SZ, 0);
    }

    [LibraryImport("libc", EntryPoint = "pipe2", SetLastError = true)]
    private static unsafe partial int Pipe2(int* ends, int flags);
}
