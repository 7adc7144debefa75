using System.Runtime.InteropServices;
using Vivarium.Linux;

namespace Vivarium.Volumes.Btrfs;

/// <summary>A mounted file system as /proc/self/mountinfo shows it.</summary>
/// <param name="FileSystem">For example <c>btrfs</c>.</param>
/// <param name="Source">Device.</param>
/// <param name="ReadOnly">The mount or the file system refuses writes.</param>
internal sealed partial record PoolMount(string FileSystem, string Source, bool ReadOnly)
{
    private const ulong NoSetUid = 2, NoDevices = 4, NoAccessTimes = 1024;

    /// <summary>The topmost file system mounted exactly at a path, null when none is. Source: proc_pid_mountinfo(5).</summary>
    internal static PoolMount? At(string mountPoint)
    {
        PoolMount? found = null;
        foreach (var line in File.ReadLines("/proc/self/mountinfo"))
        {
            var fields = line.Split(' ');
            var separator = Array.IndexOf(fields, "-");
            if (separator < 6 || fields.Length < separator + 4 || Unescape(fields[4]) != mountPoint)
            {
                continue;
            }

            var readOnly = HasOption(fields[5], "ro") || HasOption(fields[separator + 3], "ro");
            found = new PoolMount(fields[separator + 1], Unescape(fields[separator + 2]), readOnly);
        }

        return found;
    }

    /// <summary>
    /// Mounts btrfs. No device nodes and set-user-id programs of tenants on the host; no access times (each would unshare metadata of snapshots);
    /// freed blocks are given back to the sparse file in the background.
    /// </summary>
    internal static void MountBtrfs(string device, string mountPoint)
    {
        if (Mount(device, mountPoint, "btrfs", NoSetUid | NoDevices | NoAccessTimes, "discard=async") != 0)
        {
            throw new LinuxException("mount", mountPoint, Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>Unmounts, refusing while something uses it.</summary>
    internal static void Unmount(string mountPoint)
    {
        if (Unmount2(mountPoint, 0) != 0)
        {
            throw new LinuxException("unmount", mountPoint, Marshal.GetLastPInvokeError());
        }
    }

    private static bool HasOption(string options, string option) => options.Split(',').Contains(option);

    /// <summary>Blanks and backslashes are written as three octal digits.</summary>
    private static string Unescape(string text) => text.Contains('\\')
        ? text.Replace("\\040", " ", StringComparison.Ordinal).Replace("\\011", "\t", StringComparison.Ordinal)
            .Replace("\\012", "\n", StringComparison.Ordinal).Replace("\\134", "\\", StringComparison.Ordinal)
        : text;

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Mount(string source, string target, string type, ulong flags, string data);

    [LibraryImport("libc", EntryPoint = "umount2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Unmount2(string target, int flags);
}
