using System.Runtime.InteropServices;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Files;

/// <summary>Space and kind of the file system a path is on. Source: statfs(2).</summary>
/// <param name="TotalBytes">Its size.</param>
/// <param name="FreeBytes">Not in use.</param>
/// <param name="AvailableBytes">Free to ordinary users.</param>
/// <param name="TotalInodes">0 where the file system makes inodes as needed (btrfs).</param>
/// <param name="FreeInodes">Inodes not in use.</param>
/// <param name="Magic">Number that says the kind, see <see cref="BtrfsMagic"/> and its neighbours.</param>
public sealed partial record FileSystemSpace(long TotalBytes, long FreeBytes, long AvailableBytes, long TotalInodes, long FreeInodes, long Magic)
{
    /// <summary>btrfs.</summary>
    public const long BtrfsMagic = 0x9123683E;

    /// <summary>tmpfs.</summary>
    public const long TmpfsMagic = 0x01021994;

    /// <summary>overlayfs.</summary>
    public const long OverlayMagic = 0x794c7630;

    /// <summary>cgroup v2.</summary>
    public const long Cgroup2Magic = 0x63677270;

    /// <summary>Of the file system <paramref name="path"/> is on.</summary>
    public static unsafe FileSystemSpace Of(string path)
    {
        var raw = stackalloc long[16];
        // SAFETY: struct statfs has 120 bytes on 64-bit Linux: type, bsize, blocks, bfree, bavail, files, ffree, then others; 128 are reserved.
        Libc.Check(StatFs(path, raw), "get space of", path);
        var block = raw[1];
        return new FileSystemSpace(raw[2] * block, raw[3] * block, raw[4] * block, raw[5], raw[6], raw[0]);
    }

    [LibraryImport("libc", EntryPoint = "statfs", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatFs(string path, long* buffer);
}
