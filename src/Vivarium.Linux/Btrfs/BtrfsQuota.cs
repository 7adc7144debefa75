using System.Buffers.Binary;

namespace Vivarium.Linux.Btrfs;

/// <summary>Limits per subvolume through qgroups.</summary>
public static class BtrfsQuota
{
    private const ulong Enable = 1, EnableSimple = 4;
    private const ulong LimitReferenced = 1;
    private const ulong NoLimit = ulong.MaxValue;
    private const ulong QuotaTree = 8;
    private const uint GroupInfo = 242;

    /// <summary>
    /// Turns quotas on, if they are off: simple quotas (kernel 6.7), which cost nothing on snapshots and deletes, else the full ones.
    /// </summary>
    public static void EnsureEnabled(string path)
    {
        using var handle = BtrfsNative.OpenDirectory(path);
        var errno = Control(handle, EnableSimple);
        if (errno == Errno.EINVAL)
        {
            errno = Control(handle, Enable);
        }

        // EINPROGRESS, EBUSY and EEXIST all say: on, or being turned on.
        if (errno is not (0 or Errno.EINPROGRESS or Errno.EBUSY or Errno.EEXIST))
        {
            throw new LinuxException("enable quotas on", path, errno);
        }
    }

    /// <summary>Limits the bytes a subvolume may refer to (with simple quotas: may write); null lifts the limit.</summary>
    public static void Limit(string subvolume, long? bytes)
    {
        using var handle = BtrfsNative.OpenDirectory(subvolume);

        // struct btrfs_ioctl_qgroup_limit_args: qgroup id (0 = this subvolume's), flags, max referenced, max exclusive, two reservations.
        var arguments = new byte[0x30];
        BinaryPrimitives.WriteUInt64LittleEndian(arguments.AsSpan(8), LimitReferenced);
        BinaryPrimitives.WriteUInt64LittleEndian(arguments.AsSpan(16), bytes is { } limit ? (ulong)limit : NoLimit);
        BtrfsNative.Do(handle, BtrfsNative.QuotaGroupLimit, arguments, "limit subvolume", subvolume);
    }

    /// <summary>Bytes counted against the limit, as of the last commit (up to 30 s ago); null when quotas are off.</summary>
    public static long? Used(string subvolume)
    {
        using var handle = BtrfsNative.OpenDirectory(subvolume);
        var info = new byte[0x1f8];
        BtrfsNative.Do(handle, BtrfsNative.SubvolumeInfo, info, "read subvolume", subvolume);
        var id = BinaryPrimitives.ReadUInt64LittleEndian(info);
        long? used = null;
        try
        {
            TreeSearch.Visit(
                handle,
                new TreeSearch.Range(QuotaTree, 0, 0, GroupInfo, GroupInfo),
                subvolume,
                (in TreeSearch.Item item, ReadOnlySpan<byte> data) =>
                {
                    // struct btrfs_qgroup_info_item: generation, referenced, …
                    used = item.Offset == id ? BinaryPrimitives.ReadInt64LittleEndian(data[8..]) : used;
                    return item.Offset < id;
                },
                CancellationToken.None); // a few items of one tree
        }
        catch (LinuxException e) when (e.Errno == Errno.ENOENT)
        {
            return null;
        }

        return used;
    }

    private static int Control(Microsoft.Win32.SafeHandles.SafeFileHandle handle, ulong command)
    {
        var arguments = new byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(arguments, command);
        return BtrfsNative.Call(handle, BtrfsNative.QuotaControl, arguments);
    }
}
