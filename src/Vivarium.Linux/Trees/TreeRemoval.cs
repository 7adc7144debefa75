using System.Runtime.InteropServices;
using System.Text;

namespace Vivarium.Linux.Trees;

/// <summary>Removes a directory tree of any depth and any names without following links or entering mounts, with a bounded number of descriptors.</summary>
public static class TreeRemoval
{
    private const int MaximumOpenLevels = 48;

    /// <summary>Removes a tree; false when nothing is there. A tree made deeper than we hold open is flattened as we go.</summary>
    public static bool Remove(string path, CancellationToken cancellationToken)
    {
        if (EntryStatus.OfLink(path) is not { } status)
        {
            return false;
        }

        if (status.IsDirectory)
        {
            using var top = TreeDirectory.Open(path);
            Empty(top, status.Device, cancellationToken);
        }

        using var parent = TreeDirectory.Open(Path.GetDirectoryName(path)!);
        Unlink(parent, TreeDirectory.Name(Path.GetFileName(path)), status.IsDirectory ? TreeNative.RemoveDirectory : 0);
        return true;
    }

    /// <summary>Removes a child (name with NUL) of an open directory with all below it; false when nothing is there.</summary>
    public static bool RemoveChild(TreeDirectory parent, byte[] name, CancellationToken cancellationToken)
    {
        if (parent.Status(name) is not { } status)
        {
            return false;
        }

        if (status.IsDirectory)
        {
            using var top = parent.OpenChild(name);
            Empty(top, status.Device, cancellationToken);
        }

        Unlink(parent, name, status.IsDirectory ? TreeNative.RemoveDirectory : 0);
        return true;
    }

    private static void Empty(TreeDirectory top, ulong device, CancellationToken cancellationToken)
    {
        var moved = 0;
        List<byte[]> names;
        while ((names = top.Names()).Count > 0)
        {
            Empty(top, top, names, device, 0, ref moved, cancellationToken);
        }
    }

    private static void Empty(TreeDirectory top, TreeDirectory directory, List<byte[]> names, ulong device, int depth, ref int moved, CancellationToken cancellationToken)
    {
        foreach (var name in names)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (Unlink(directory, name, 0))
            {
                continue;
            }

            if (depth >= MaximumOpenLevels)
            {
                Lift(top, directory, name, ref moved);
                continue;
            }

            using (var child = directory.OpenChild(name))
            {
                if (child.Status(".\0"u8)?.Device != device)
                {
                    // What is mounted here is not ours to remove.
                    throw new LinuxException("remove", child.Path, Errno.EXDEV);
                }

                Empty(top, child, child.Names(), device, depth + 1, ref moved, cancellationToken);
            }

            Unlink(directory, name, TreeNative.RemoveDirectory);
        }
    }

    /// <summary>True when it is gone, false when it is a directory.</summary>
    private static unsafe bool Unlink(TreeDirectory directory, ReadOnlySpan<byte> name, int flags)
    {
        int result;

        // SAFETY: the name is pinned and ends with NUL; the directory stays open for the call.
        fixed (byte* pointer = name)
        {
            result = TreeNative.UnlinkAt((int)directory.Handle.DangerousGetHandle(), pointer, flags);
        }

        if (result == 0)
        {
            return true;
        }

        var errno = Marshal.GetLastPInvokeError();
        return errno switch
        {
            Errno.ENOENT => true,
            Errno.EISDIR => false,
            Errno.EPERM when flags == 0 && directory.Status(name) is { IsDirectory: true } => false,
            _ => throw new LinuxException("remove", $"{directory.Path}/{TreeDirectory.Text(name)}", errno),
        };
    }

    private static unsafe void Lift(TreeDirectory top, TreeDirectory directory, ReadOnlySpan<byte> name, ref int moved)
    {
        while (true)
        {
            var newName = Encoding.ASCII.GetBytes($"lifted-{moved++}\0");
            int result;

            // SAFETY: both names are pinned and end with NUL.
            fixed (byte* oldPointer = name, newPointer = newName)
            {
                result = TreeNative.RenameAt((int)directory.Handle.DangerousGetHandle(), oldPointer, (int)top.Handle.DangerousGetHandle(), newPointer);
            }

            if (result == 0)
            {
                return;
            }

            var errno = Marshal.GetLastPInvokeError();
            if (errno is not (Errno.EEXIST or Errno.ENOTEMPTY or Errno.ENOTDIR))
            {
                throw new LinuxException("remove", directory.Path, errno);
            }
        }
    }
}
