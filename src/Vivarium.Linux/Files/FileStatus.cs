using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Files;

/// <summary>What the kernel knows about a file. Source: statx(2).</summary>
public readonly partial record struct FileStatus
{
    private const uint STATX_BASIC_STATS = 0x7ff;
    private const int TypeMask = 0xF000;

    /// <summary>Type and permission bits.</summary>
    public int RawMode { get; init; }

    /// <summary>Permission bits (07777).</summary>
    public int Mode => RawMode & 0xFFF;

    /// <summary>What it is.</summary>
    public FileKind Kind => (FileKind)(RawMode & TypeMask);

    /// <summary>Owner.</summary>
    public uint Uid { get; init; }

    /// <summary>Group.</summary>
    public uint Gid { get; init; }

    /// <summary>Bytes; of a symbolic link the length of its target.</summary>
    public long Size { get; init; }

    /// <summary>Allocated on the medium, bytes.</summary>
    public long AllocatedBytes { get; init; }

    /// <summary>Names it has.</summary>
    public uint Links { get; init; }

    /// <summary>Inode number.</summary>
    public ulong Inode { get; init; }

    /// <summary>Device it is on.</summary>
    public (uint Major, uint Minor) Device { get; init; }

    /// <summary>Device it is, for device files.</summary>
    public (uint Major, uint Minor) Special { get; init; }

    /// <summary>Last change of the content, nanoseconds since the Unix epoch.</summary>
    public long ModifiedUnixNs { get; init; }

    /// <summary>Last change of content or metadata, nanoseconds since the Unix epoch.</summary>
    public long ChangedUnixNs { get; init; }

    /// <summary>Of a path.</summary>
    public static FileStatus Of(string path, bool follow = true) => TryGet(path, follow, out var status) is var error and not 0
        ? throw new LinuxException("stat", path, error)
        : status;

    /// <summary>Of a path; null when nothing is there (ENOENT, ENOTDIR).</summary>
    public static FileStatus? Find(string path, bool follow = true) => TryGet(path, follow, out var status) switch
    {
        0 => status,
        Errno.ENOENT or Errno.ENOTDIR => null,
        var error => throw new LinuxException("stat", path, error),
    };

    /// <summary>Of a path; returns 0 or the error number.</summary>
    public static int TryGet(string path, bool follow, out FileStatus status) => Get(Libc.AT_FDCWD, path, follow ? 0 : Libc.AT_SYMLINK_NOFOLLOW, out status);

    /// <summary>Of an open file.</summary>
    public static FileStatus Of(SafeFileHandle file) => Get((int)file.DangerousGetHandle(), "", Libc.AT_EMPTY_PATH, out var status) is var error and not 0
        ? throw new LinuxException("stat", null, error)
        : status;

    /// <summary>Of a name in an open directory, never following a final symbolic link; returns 0 or the error number.</summary>
    public static int TryGetAt(SafeFileHandle directory, string name, out FileStatus status) =>
        Get((int)directory.DangerousGetHandle(), name, Libc.AT_SYMLINK_NOFOLLOW, out status);

    private static unsafe int Get(int directory, string path, int flags, out FileStatus status)
    {
        Raw raw;
        // SAFETY: Raw has the 256 bytes of struct statx.
        if (Statx(directory, path, flags, STATX_BASIC_STATS, &raw) != 0)
        {
            status = default;
            return Marshal.GetLastPInvokeError();
        }

        status = new FileStatus
        {
            RawMode = raw.Mode,
            Uid = raw.Uid,
            Gid = raw.Gid,
            Size = (long)raw.Size,
            AllocatedBytes = (long)raw.Blocks * 512,
            Links = raw.Links,
            Inode = raw.Inode,
            Device = (raw.DeviceMajor, raw.DeviceMinor),
            Special = (raw.SpecialMajor, raw.SpecialMinor),
            ModifiedUnixNs = (raw.Modified.Seconds * 1_000_000_000) + raw.Modified.Nanoseconds,
            ChangedUnixNs = (raw.Changed.Seconds * 1_000_000_000) + raw.Changed.Nanoseconds,
        };
        return 0;
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Statx(int directory, string path, int flags, uint mask, Raw* buffer);

    [StructLayout(LayoutKind.Sequential)]
    private struct Timestamp
    {
        public long Seconds;
        public uint Nanoseconds;
        public int Reserved;
    }

    [StructLayout(LayoutKind.Sequential, Size = 256)]
    private struct Raw
    {
        public uint Mask;
        public uint BlockSize;
        public ulong Attributes;
        public uint Links;
        public uint Uid;
        public uint Gid;
        public ushort Mode;
        public ushort Spare;
        public ulong Inode;
        public ulong Size;
        public ulong Blocks;
        public ulong AttributesMask;
        public Timestamp Accessed;
        public Timestamp Born;
        public Timestamp Changed;
        public Timestamp Modified;
        public uint SpecialMajor;
        public uint SpecialMinor;
        public uint DeviceMajor;
        public uint DeviceMinor;
    }
}

/// <summary>Kinds of files, as the type bits of a mode. Source: inode(7).</summary>
public enum FileKind
{
    /// <summary>Named pipe.</summary>
    Fifo = 0x1000,

    /// <summary>Character device.</summary>
    CharacterDevice = 0x2000,

    /// <summary>Directory.</summary>
    Directory = 0x4000,

    /// <summary>Block device.</summary>
    BlockDevice = 0x6000,

    /// <summary>Regular file.</summary>
    Regular = 0x8000,

    /// <summary>Symbolic link.</summary>
    SymbolicLink = 0xA000,

    /// <summary>Socket.</summary>
    Socket = 0xC000,
}
