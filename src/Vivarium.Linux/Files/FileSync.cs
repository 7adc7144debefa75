using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Files;

/// <summary>Getting written data onto the medium. Source: fsync(2), syncfs(2).</summary>
public static partial class FileSync
{
    /// <summary>Writes a whole file system's dirty data, and no other's.</summary>
    public static void SyncFileSystem(string path)
    {
        using var handle = Libc.Open(path, Libc.O_RDONLY);
        Libc.Check(SyncFs(handle), "sync file system of", path);
    }

    /// <summary>Writes one file's or directory's dirty data.</summary>
    public static void Sync(SafeFileHandle handle, string path) => Libc.Check(FSync(handle), "sync", path);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(SafeHandle fd);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFs(SafeHandle fd);
}
