using System.Buffers.Binary;
using System.Text;

namespace Vivarium.Linux.Btrfs;

/// <summary>Space of a btrfs file system by its own books, bytes. statvfs alone hides what metadata needs.</summary>
/// <param name="DeviceBytes">All devices together.</param>
/// <param name="UnallocatedBytes">Not yet given to any chunk.</param>
/// <param name="DataTotal">Chunks for data.</param>
/// <param name="DataUsed">Of that in use.</param>
/// <param name="MetadataTotal">Chunks for metadata, one copy counted.</param>
/// <param name="MetadataUsed">Of that in use.</param>
/// <param name="GlobalReserve">Metadata kept back so that deleting works when full.</param>
/// <param name="Mixed">Data and metadata share chunks.</param>
/// <param name="MetadataCopies">2 with the DUP profile.</param>
public sealed record BtrfsSpace(
    long DeviceBytes, long UnallocatedBytes, long DataTotal, long DataUsed, long MetadataTotal, long MetadataUsed, long GlobalReserve, bool Mixed, int MetadataCopies);

/// <summary>What a scrub found.</summary>
/// <param name="Bytes">Read.</param>
/// <param name="Errors">Of reading, checksums, headers and superblocks.</param>
/// <param name="Corrected">Of those repaired from a second copy.</param>
/// <param name="Uncorrectable">Of those lost.</param>
public sealed record BtrfsScrub(long Bytes, long Errors, long Corrected, long Uncorrectable);

/// <summary>Calls about a whole file system.</summary>
public static class BtrfsFileSystem
{
    private const ulong Data = 1, Metadata = 4;
    private const ulong TwoCopies = (1UL << 4) | (1UL << 5) | (1UL << 6);
    private const ulong GlobalReserveFlag = 1UL << 49;
    private const int SuperblockOffset = 64 * 1024;

    /// <summary>The file system id of the mounted file system at <paramref name="path"/>.</summary>
    public static Guid Id(string path)
    {
        using var handle = BtrfsNative.OpenDirectory(path);
        var info = new byte[1024];
        BtrfsNative.Do(handle, BtrfsNative.FileSystemInfo, info, "read file system", path);
        return new Guid(info.AsSpan(0x10, 16), bigEndian: true);
    }

    /// <summary>The file system id in the superblock of an image, null when there is no btrfs in it.</summary>
    public static Guid? IdOfImage(string imagePath)
    {
        using var file = File.OpenHandle(imagePath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var superblock = new byte[4096];
        return RandomAccess.Read(file, superblock, SuperblockOffset) >= 0x48 && superblock.AsSpan(0x40, 8).SequenceEqual("_BHRfS_M"u8)
            ? new Guid(superblock.AsSpan(0x20, 16), bigEndian: true)
            : null;
    }

    /// <summary>Space by kind of chunk.</summary>
    public static BtrfsSpace Space(string path)
    {
        using var handle = BtrfsNative.OpenDirectory(path);
        var count = new byte[16];
        BtrfsNative.Do(handle, BtrfsNative.SpaceInfo, count, "read space of", path);
        var slots = (int)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(count.AsSpan(8)) + 4, 64);
        var buffer = new byte[16 + (slots * 24)];
        BinaryPrimitives.WriteUInt64LittleEndian(buffer, (ulong)slots);
        BtrfsNative.Do(handle, BtrfsNative.SpaceInfo, buffer, "read space of", path);
        var found = (int)BinaryPrimitives.ReadUInt64LittleEndian(buffer.AsSpan(8));

        long allocated = 0, dataTotal = 0, dataUsed = 0, metadataTotal = 0, metadataUsed = 0, reserve = 0;
        bool mixed = false;
        var copies = 1;
        for (var i = 0; i < Math.Min(found, slots); i++)
        {
            var entry = buffer.AsSpan(16 + (i * 24), 24);
            var flags = BinaryPrimitives.ReadUInt64LittleEndian(entry);
            var total = BinaryPrimitives.ReadInt64LittleEndian(entry[8..]);
            var used = BinaryPrimitives.ReadInt64LittleEndian(entry[16..]);
            if ((flags & GlobalReserveFlag) != 0)
            {
                reserve = total;
                continue;
            }

            var factor = (flags & TwoCopies) != 0 ? 2 : 1;
            allocated += total * factor;
            if ((flags & Data) != 0)
            {
                dataTotal += total;
                dataUsed += used;
                mixed |= (flags & Metadata) != 0;
            }
            else if ((flags & Metadata) != 0)
            {
                metadataTotal += total;
                metadataUsed += used;
                copies = factor;
            }
        }

        var device = DeviceBytes(handle, path);
        return new BtrfsSpace(device, Math.Max(0, device - allocated), dataTotal, dataUsed, metadataTotal, metadataUsed, reserve, mixed, copies);
    }

    /// <summary>Grows the first device's part to all the device offers.</summary>
    public static void GrowToDevice(string path)
    {
        using var handle = BtrfsNative.OpenDirectory(path);
        var arguments = new byte[4096];
        Encoding.ASCII.GetBytes("max", arguments.AsSpan(8));
        BtrfsNative.Do(handle, BtrfsNative.Resize, arguments, "grow", path);
    }

    /// <summary>Writes everything out; also wakes the cleaner that frees deleted subvolumes. Blocks: not for a pool thread on a hot path.</summary>
    public static void Sync(string path)
    {
        using var handle = BtrfsNative.OpenDirectory(path);
        BtrfsNative.Do(handle, BtrfsNative.Sync, [], "sync", path);
    }

    /// <summary>Errors the first device has shown since its counters were reset: write, read, flush, corruption, generation, summed.</summary>
    public static long DeviceErrors(string path)
    {
        using var handle = BtrfsNative.OpenDirectory(path);
        var stats = new byte[0x408];
        BinaryPrimitives.WriteUInt64LittleEndian(stats, 1);
        BinaryPrimitives.WriteUInt64LittleEndian(stats.AsSpan(8), 5);
        if (BtrfsNative.Call(handle, BtrfsNative.DeviceStats, stats) != 0)
        {
            // A file system with a hole in its device numbers: no statement is better than a wrong one.
            return 0;
        }

        long sum = 0;
        for (var i = 0; i < 5; i++)
        {
            sum += BinaryPrimitives.ReadInt64LittleEndian(stats.AsSpan(24 + (i * 8)));
        }

        return sum;
    }

    /// <summary>
    /// Reads everything on the first device and compares it with its checksums (a scrub); repairs what has a second copy. Blocks until it is done, minutes on a large pool.
    /// </summary>
    /// <exception cref="LinuxException">EINPROGRESS: a scrub is running already.</exception>
    public static BtrfsScrub Scrub(string path)
    {
        using var handle = BtrfsNative.OpenDirectory(path);

        // struct btrfs_ioctl_scrub_args: device, start, end, flags, then struct btrfs_scrub_progress of 15 counters.
        var arguments = new byte[1024];
        BinaryPrimitives.WriteUInt64LittleEndian(arguments, 1);
        BinaryPrimitives.WriteUInt64LittleEndian(arguments.AsSpan(16), ulong.MaxValue);
        BtrfsNative.Do(handle, BtrfsNative.Scrub, arguments, "scrub", path);
        long Counter(int number) => BinaryPrimitives.ReadInt64LittleEndian(arguments.AsSpan(32 + (number * 8)));
        return new BtrfsScrub(Counter(2) + Counter(3), Counter(4) + Counter(5) + Counter(6) + Counter(9), Counter(12), Counter(11));
    }

    private static long DeviceBytes(Microsoft.Win32.SafeHandles.SafeFileHandle handle, string path)
    {
        var info = new byte[1024];
        BtrfsNative.Do(handle, BtrfsNative.FileSystemInfo, info, "read file system", path);
        var maximum = BinaryPrimitives.ReadUInt64LittleEndian(info);
        var remaining = BinaryPrimitives.ReadUInt64LittleEndian(info.AsSpan(8));
        long sum = 0;
        for (ulong id = 1; id <= maximum && remaining > 0; id++)
        {
            var device = new byte[4096];
            BinaryPrimitives.WriteUInt64LittleEndian(device, id);
            if (BtrfsNative.Call(handle, BtrfsNative.DeviceInfo, device) == 0)
            {
                sum += BinaryPrimitives.ReadInt64LittleEndian(device.AsSpan(0x20));
                remaining--;
            }
        }

        return sum;
    }
}
