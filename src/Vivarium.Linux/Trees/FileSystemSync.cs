using System.Runtime.InteropServices;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Trees;

/// <summary>syncfs(2).</summary>
public static partial class FileSystemSync
{
    /// <summary>Writes out the file system that holds a directory. Blocks until it is done.</summary>
    public static void Of(string directory)
    {
        using var handle = Libc.Open(directory, Libc.O_DIRECTORY);
        Libc.Check(SyncFileSystem((int)handle.DangerousGetHandle()), "sync", directory);
    }

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFileSystem(int fd);
}
