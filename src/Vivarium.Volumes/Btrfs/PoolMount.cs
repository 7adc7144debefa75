using Vivarium.Linux.Mounts;

namespace Vivarium.Volumes.Btrfs;

/// <summary>How a pool is mounted.</summary>
internal static class PoolMount
{
    /// <summary>
    /// Mounts btrfs. No device nodes and set-user-id programs of tenants on the host; no access times (each would unshare metadata of snapshots);
    /// freed blocks are given back to the sparse file in the background.
    /// </summary>
    internal static void MountBtrfs(string device, string mountPoint) => Mount.FileSystem(
        device, mountPoint, "btrfs", MountFlags.NoSetUid | MountFlags.NoDevices | MountFlags.NoAccessTime, "discard=async");

    /// <summary>Whether a mount or its file system refuses writes; btrfs turns itself so after an error it cannot handle.</summary>
    internal static bool IsReadOnly(MountEntry mount) => mount.Options.Split(',').Contains("ro") || mount.SuperOptions.Split(',').Contains("ro");
}
