using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Trees;

/// <summary>What statx(2) says of a directory entry; symbolic links are never followed.</summary>
/// <param name="Mode">Type and permissions as in &lt;sys/stat.h&gt;.</param>
/// <param name="Uid">Owner.</param>
/// <param name="Gid">Group.</param>
/// <param name="Size">Bytes.</param>
/// <param name="AllocatedBytes">Bytes on disk.</param>
/// <param name="Inode">Inode number.</param>
/// <param name="Device">Device of the file system.</param>
/// <param name="Links">Hard links.</param>
/// <param name="NodeDevice">Device number of a device node.</param>
/// <param name="AccessTime">Seconds and nanoseconds since the epoch.</param>
/// <param name="ModifyTime">Seconds and nanoseconds since the epoch.</param>
public readonly record struct EntryStatus(
    uint Mode, uint Uid, uint Gid, long Size, long AllocatedBytes, ulong Inode, ulong Device, uint Links, ulong NodeDevice,
    (long Seconds, uint Nanoseconds) AccessTime, (long Seconds, uint Nanoseconds) ModifyTime)
{
    private const uint TypeMask = 0xF000;
    private const int BufferBytes = 256;
    private const uint BasicStats = 0x7ff;

    /// <summary>Type bits alone.</summary>
    public uint Type => Mode & TypeMask;

    /// <summary>Directory.</summary>
    public bool IsDirectory => Type == 0x4000;

    /// <summary>Regular file.</summary>
    public bool IsRegular => Type == 0x8000;

    /// <summary>Symbolic link.</summary>
    public bool IsLink => Type == 0xA000;

    /// <summary>Status of a path, null when it is not there.</summary>
    public static EntryStatus? OfLink(string path) => Of(Libc.AT_FDCWD, [.. Encoding.UTF8.GetBytes(path), 0], path);

    /// <summary>Status of a name (NUL at its end) in a directory.</summary>
    internal static unsafe EntryStatus? Of(int directory, ReadOnlySpan<byte> name, string pathForErrors)
    {
        Span<byte> buffer = stackalloc byte[BufferBytes];
        int result;

        // SAFETY: struct statx has 256 bytes; the name ends with NUL; both are pinned for the call.
        fixed (byte* namePointer = name, bufferPointer = buffer)
        {
            result = TreeNative.StatX(directory, namePointer, Libc.AT_SYMLINK_NOFOLLOW, BasicStats, bufferPointer);
        }

        if (result < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            return errno is Errno.ENOENT or Errno.ENOTDIR ? null : throw new LinuxException("read status of", pathForErrors, errno);
        }

        return Parse(buffer);
    }

    private static EntryStatus Parse(ReadOnlySpan<byte> s) => new(
        BinaryPrimitives.ReadUInt16LittleEndian(s[0x1c..]),
        BinaryPrimitives.ReadUInt32LittleEndian(s[0x14..]),
        BinaryPrimitives.ReadUInt32LittleEndian(s[0x18..]),
        BinaryPrimitives.ReadInt64LittleEndian(s[0x28..]),
        BinaryPrimitives.ReadInt64LittleEndian(s[0x30..]) * 512,
        BinaryPrimitives.ReadUInt64LittleEndian(s[0x20..]),
        Device64(s[0x88..]),
        BinaryPrimitives.ReadUInt32LittleEndian(s[0x10..]),
        Device64(s[0x80..]),
        Time(s[0x40..]),
        Time(s[0x70..]));

    private static (long Seconds, uint Nanoseconds) Time(ReadOnlySpan<byte> s) =>
        (BinaryPrimitives.ReadInt64LittleEndian(s), BinaryPrimitives.ReadUInt32LittleEndian(s[8..]));

    /// <summary>makedev(3) from the two halves statx gives.</summary>
    private static ulong Device64(ReadOnlySpan<byte> s)
    {
        ulong major = BinaryPrimitives.ReadUInt32LittleEndian(s), minor = BinaryPrimitives.ReadUInt32LittleEndian(s[4..]);
        return ((major & 0xfffff000) << 32) | ((major & 0xfff) << 8) | ((minor & 0xffffff00) << 12) | (minor & 0xff);
    }
}
