using Vivarium.Linux;
using Vivarium.Wire.Errors;

namespace Vivarium.Volumes;

/// <summary>System errors of a store in words a user can act on.</summary>
internal static class StoreErrors
{
    internal static VivariumException Map(LinuxException error, string operation) => error.Errno switch
    {
        Errno.ENOSPC or Errno.EDQUOT => PoolFull(operation, error),
        Errno.EROFS => ReadOnly(operation, error),
        Errno.EEXIST => new VivariumException(ErrorCode.AlreadyExists, $"{operation}: it exists already", inner: error),
        Errno.ENOENT => new VivariumException(ErrorCode.NotFound, $"{operation}: there is no such volume", inner: error),
        Errno.EACCES or Errno.EPERM => new VivariumException(
            ErrorCode.PermissionDenied, $"{operation}: not permitted by the system", "run the daemon as root, or choose store = \"local-disk\"", inner: error),
        _ => new VivariumException(ErrorCode.Internal, $"{operation}: {error.Message}", inner: error),
    };

    internal static VivariumException PoolFull(string operation, Exception? inner = null) => new(
        ErrorCode.ResourceExhausted,
        $"{operation}: the pool has no room left (bytes, or inodes where its file system counts them)",
        "remove sandboxes or templates you no longer need ('viv prune', 'viv template rm'), or enlarge the pool ([pool] size)",
        "pool_full",
        inner);

    internal static VivariumException ReadOnly(string operation, Exception? inner = null) => new(
        ErrorCode.Unavailable,
        $"{operation}: the pool is read-only after an error of the file system",
        "see 'dmesg' for the cause; removing sandboxes does not help here",
        "pool_read_only",
        inner);

    internal static VivariumException NotFound(VolumeKind kind, string key) => new(
        ErrorCode.NotFound, $"there is no {Word(kind)} volume '{key}'", reason: "volume_not_found");

    internal static VivariumException SnapshotsNotAvailable() => new(
        ErrorCode.FailedPrecondition,
        "snapshots are not available: the local-disk store cannot make point-in-time copies",
        "use a btrfs pool: run the daemon as root with [pool] store = \"auto\" or \"btrfs\"",
        "snapshots_not_available");

    internal static string Word(VolumeKind kind) => kind switch
    {
        VolumeKind.Template => "template",
        VolumeKind.Sandbox => "sandbox",
        _ => "snapshot",
    };
}
