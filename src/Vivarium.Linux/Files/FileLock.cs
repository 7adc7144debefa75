using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Files;

/// <summary>
/// An exclusive lock that ends with its process, however that ends. The file stays when the lock goes: removing it would let two
/// processes hold "the" lock on two files of one name. Source: flock(2).
/// </summary>
public sealed partial class FileLock : IDisposable
{
    private const int LOCK_EX = 2;
    private const int LOCK_NB = 4;

    private readonly SafeFileHandle handle;

    private FileLock(SafeFileHandle handle, string path)
    {
        this.handle = handle;
        Path = path;
    }

    /// <summary>The lock file.</summary>
    public string Path { get; }

    /// <summary>Takes the lock, creating the file (0600) when needed; null when another process, or another handle in this one, has it.</summary>
    public static FileLock? TryAcquire(string path)
    {
        var handle = Libc.Open(path, Libc.O_RDWR | Libc.O_CREAT, 0x180);
        while (Flock(handle, LOCK_EX | LOCK_NB) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error == Errno.EINTR)
            {
                continue;
            }

            handle.Dispose();
            return error == Errno.EAGAIN ? null : throw new LinuxException("lock", path, error);
        }

        return new FileLock(handle, path);
    }

    /// <summary>Whether somebody holds the lock now; a missing file is not locked.</summary>
    public static bool IsHeld(string path)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        using var attempt = TryAcquire(path);
        return attempt is null;
    }

    /// <summary>Gives the lock up.</summary>
    public void Dispose() => handle.Dispose();

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(SafeHandle fd, int operation);
}
