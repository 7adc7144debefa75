using System.Diagnostics;
using Vivarium.Linux;
using Vivarium.Linux.Btrfs;
using Vivarium.Linux.Files;
using Vivarium.Linux.Loop;
using Vivarium.Linux.Mounts;
using Vivarium.Linux.Processes;
using Vivarium.Linux.Trees;
using Vivarium.Wire.Errors;

namespace Vivarium.Volumes.Btrfs;

/// <summary>
/// A btrfs file system in a sparse file beside the pool directory (<c>pool.img</c> for <c>pool</c>), on a loop device, mounted at the pool directory.
/// The file gets its name only when it is a whole file system, so a crash leaves either a pool or a <c>.partial</c> that the next start removes.
/// The mount outlives the daemon; the loop device goes with the mount.
/// </summary>
internal sealed class PoolFile : IPoolBacking
{
    internal const long MinimumBytes = 112L * 1024 * 1024;

    /// <summary>
    /// Below this, data and metadata share chunks: with chunks apart, a small pool filled with data keeps too little for metadata to make even a snapshot.
    /// </summary>
    private const long MixedBelowBytes = 4L * 1024 * 1024 * 1024;

    /// <summary>What the disk under a sparse pool keeps for others: a pool whose disk is full loses writes it has promised.</summary>
    private const long KeptForOthers = 256L * 1024 * 1024;
    private static readonly TimeSpan MakeDeadline = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan LockDeadline = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan LockPoll = TimeSpan.FromMilliseconds(50);

    private readonly string image;
    private readonly string mountPoint;

    private PoolFile(string image, string mountPoint)
    {
        this.image = image;
        this.mountPoint = mountPoint;
    }

    /// <summary>The file of the pool at a directory.</summary>
    internal static string ImageOf(string poolDirectory) => poolDirectory.TrimEnd('/') + ".img";

    /// <summary>Makes the file if there is none, attaches and mounts it if it is not mounted, and grows it to the configured size.</summary>
    internal static async Task<PoolFile> OpenAsync(string mountPoint, long sizeBytes, CancellationToken cancellationToken)
    {
        var pool = new PoolFile(ImageOf(mountPoint), mountPoint);
        using var _ = await LockAsync(pool.image + ".lock", cancellationToken).ConfigureAwait(false);
        var partial = pool.image + ".partial";
        File.Delete(partial);
        if (!File.Exists(pool.image))
        {
            RefuseForeignContent(mountPoint);
            await MakeAsync(partial, pool.image, sizeBytes, cancellationToken).ConfigureAwait(false);
        }

        pool.Attach();
        if (new FileInfo(pool.image).Length < sizeBytes)
        {
            pool.Grow(sizeBytes);
        }

        pool.Secure();
        return pool;
    }

    public long? RoomBeneath(long dataBytes)
    {
        // Blocks the file has already are the pool's to write again; those where metadata lies are for nothing else.
        var allocated = EntryStatus.OfLink(image)?.AllocatedBytes ?? 0;
        var disk = new DriveInfo(Path.GetDirectoryName(image)!).AvailableFreeSpace;
        return Math.Max(0, disk - KeptForOthers) + Math.Max(0, allocated - ChunkTree.MetadataOf(mountPoint).Sum(static e => e.Length) - dataBytes);
    }

    /// <summary>
    /// Gives the file real blocks where the file system keeps metadata. A sparse file whose disk is full cannot be written, and a btrfs that cannot write metadata turns
    /// read-only for everybody until it is mounted anew; data that cannot be written fails for whoever wrote it, and goes on when there is room. Discards take blocks away
    /// again, so this is repeated. Small pools, which have data and metadata in the same places, cannot be secured so.
    /// </summary>
    public void Secure()
    {
        try
        {
            var disk = new DriveInfo(Path.GetDirectoryName(image)!);
            using var file = File.OpenHandle(image, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            foreach (var extent in ChunkTree.MetadataOf(mountPoint))
            {
                // Not the last of a small disk: what it has must do for data, too.
                if (disk.AvailableFreeSpace > KeptForOthers + (2 * extent.Length))
                {
                    Allocation.Reserve(file, extent.Offset, extent.Length, image);
                }
            }
        }
        catch (IOException)
        {
            // A file system that cannot do it, or has no room: as it was without.
        }
    }

    public void Grow(long totalBytes)
    {
        using (var file = File.OpenHandle(image, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete))
        {
            var current = RandomAccess.GetLength(file);
            if (totalBytes < current)
            {
                throw new VivariumException(
                    ErrorCode.InvalidArgument, $"the pool cannot be made smaller: it has {current} bytes, {totalBytes} were asked for");
            }

            RandomAccess.SetLength(file, totalBytes);
        }

        var mount = MountTable.Find(mountPoint) ?? throw new VivariumException(ErrorCode.Unavailable, $"the pool is not mounted at '{mountPoint}'");
        LoopDevice.RefreshSize(mount.Source);
        BtrfsFileSystem.GrowToDevice(mountPoint);
    }

    public void Unmount()
    {
        try
        {
            Mount.Unmount(mountPoint);
        }
        catch (LinuxException e) when (e.Errno == Errno.EBUSY)
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"the pool at '{mountPoint}' cannot be unmounted: something is using it",
                "stop the sandboxes first ('viv stop NAME' or 'viv rm -fa')",
                "pool_busy",
                e);
        }
    }

    private void Attach()
    {
        var expected = BtrfsFileSystem.IdOfImage(image) ?? throw new VivariumException(
            ErrorCode.DataLoss,
            $"the pool file '{image}' holds no btrfs file system",
            "restore it from a backup, or move it away to begin with an empty pool",
            "pool_damaged");
        if (MountTable.Find(mountPoint) is { } mount)
        {
            if (mount.FileSystem == "btrfs" && BackingIsOurs(mount.Source) && BtrfsFileSystem.Id(mountPoint) == expected)
            {
                return;
            }

            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"something else ({mount.FileSystem} on '{mount.Source}') is mounted at the pool directory '{mountPoint}'",
                "unmount it, or set [pool] path to another directory",
                "pool_path_taken");
        }

        RefuseForeignContent(mountPoint);
        Directory.CreateDirectory(mountPoint);

        // Attached already (by a daemon in another mount namespace): a second loop device on the same file would be a second, contradicting writer.
        if (FindAttached() is { } attached)
        {
            PoolMount.MountBtrfs(attached, mountPoint);
        }
        else
        {
            using var device = LoopDevice.Attach(image);
            PoolMount.MountBtrfs(device.DevicePath, mountPoint);
        }
    }

    private bool BackingIsOurs(string device) => LoopDevice.BackingFile(device) == Path.GetFullPath(image);

    private string? FindAttached() => Directory.EnumerateDirectories("/sys/block", "loop*")
        .Select(directory => $"/dev/{Path.GetFileName(directory)}")
        .FirstOrDefault(BackingIsOurs);

    private static async Task MakeAsync(string partial, string image, long sizeBytes, CancellationToken cancellationToken)
    {
        if (sizeBytes < MinimumBytes)
        {
            throw new VivariumException(
                ErrorCode.InvalidArgument, $"[pool] size is {sizeBytes} bytes; a btrfs pool needs at least {MinimumBytes / (1024 * 1024)} MiB");
        }

        Directory.CreateDirectory(Path.GetDirectoryName(image)!);
        using (var file = new FileStream(partial, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            file.SetLength(sizeBytes);
        }

        // With -m dup mkfs sets 256 MiB aside for metadata; with -m single it is 8, and a tenant who fills the pool with data leaves no room to grow it.
        List<string> arguments = sizeBytes < MixedBelowBytes
            ? ["-q", "-L", "vivarium", "-d", "single", "-m", "single", "--mixed"]
            : ["-q", "-L", "vivarium", "-d", "single", "-m", "dup"];
        arguments.Add(partial);
        var made = await ChildRun.RunAsync("mkfs.btrfs", arguments, new ChildRunOptions { Timeout = MakeDeadline }, cancellationToken).ConfigureAwait(false);
        if (!made.Succeeded)
        {
            File.Delete(partial);
            throw new VivariumException(ErrorCode.Internal, $"making the pool file '{image}' failed: mkfs.btrfs {made.Summary}");
        }

        using (var file = new FileStream(partial, FileMode.Open, FileAccess.ReadWrite))
        {
            file.Flush(flushToDisk: true);
        }

        File.Move(partial, image);
    }

    /// <summary>A directory with files in it would vanish under the mount.</summary>
    private static void RefuseForeignContent(string directory)
    {
        if (MountTable.Find(directory) is null && Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any())
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"the pool directory '{directory}' is not empty, so a btrfs pool cannot be mounted there",
                "empty it, or set [pool] store = \"local-disk\" to go on with what is in it",
                "pool_path_taken");
        }
    }

    private static async Task<FileLock> LockAsync(string path, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        for (var start = Stopwatch.GetTimestamp(); ;)
        {
            if (FileLock.TryAcquire(path) is { } held)
            {
                return held;
            }

            if (Stopwatch.GetElapsedTime(start) > LockDeadline)
            {
                throw new VivariumException(ErrorCode.Unavailable, $"the pool is being opened by another process, which holds '{path}'", "try again when it has ended");
            }

            await Task.Delay(LockPoll, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }
    }
}
