using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Trees;

/// <summary>
/// Copies a directory tree with modes, owners, times, extended attributes, hard links, device nodes and holes; data is shared (reflink) where the
/// file system can. Directories are worked on by a bounded number of threads.
/// </summary>
public sealed class TreeCopy
{
    private readonly string source;
    private readonly string target;
    private readonly bool privileged = TreeNative.EffectiveUser() == 0;
    private readonly ConcurrentBag<(byte[] Path, EntryStatus Status)> linked = [];
    private readonly ConcurrentBag<(byte[] Path, EntryStatus Status)> directories = [];
    private long files;
    private long sharedFiles;

    private TreeCopy(string source, string target)
    {
        this.source = source;
        this.target = target;
    }

    /// <summary>What was copied.</summary>
    /// <param name="Files">Regular files.</param>
    /// <param name="Shared">Of these, how many share their data with the original.</param>
    public readonly record struct Result(long Files, long Shared);

    /// <summary>Copies the content of <paramref name="source"/> into the existing empty directory <paramref name="target"/>.</summary>
    /// <param name="source">Must not change meanwhile.</param>
    /// <param name="target">Existing and empty.</param>
    /// <param name="parallelism">Directories at a time, 1 or more.</param>
    /// <param name="cancellationToken">Ends it; what was made stays.</param>
    public static async Task<Result> RunAsync(string source, string target, int parallelism, CancellationToken cancellationToken)
    {
        var copy = new TreeCopy(source, target);
        IReadOnlyList<byte[]> level = [Array.Empty<byte>()];
        var options = new ParallelOptions { MaxDegreeOfParallelism = parallelism, CancellationToken = cancellationToken };
        while (level.Count > 0)
        {
            // Level by level: every parent exists before its children are copied.
            var next = new ConcurrentBag<byte[]>();
            await Parallel.ForEachAsync(level, options, (path, token) =>
            {
                copy.CopyDirectory(path, next, token);
                return ValueTask.CompletedTask;
            }).ConfigureAwait(false);
            level = [.. next];
        }

        copy.CopyLinked(cancellationToken);
        copy.FinishDirectories();
        return new Result(copy.files, copy.sharedFiles);
    }

    private void CopyDirectory(byte[] path, ConcurrentBag<byte[]> next, CancellationToken cancellationToken)
    {
        using var sourceRoot = TreeDirectory.Open(source);
        using var targetRoot = TreeDirectory.Open(target);
        using var from = sourceRoot.OpenBeneath(path);
        using var to = targetRoot.OpenBeneath(path);
        if (path.Length == 0)
        {
            directories.Add((path, EntryStatus.OfLink(source)!.Value));
        }

        foreach (var name in from.Names())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (from.Status(name) is not { } status)
            {
                continue;
            }

            var child = Join(path, name);
            if (status.IsDirectory)
            {
                Check(to, name, "make directory", MakeDirectory(to, name));
                directories.Add((child, status));
                next.Add(child);
            }
            else if (status.Links > 1)
            {
                linked.Add((child, status));
            }
            else
            {
                CopyEntry(from, to, name, status);
            }
        }
    }

    /// <summary>Files with several names: the first is copied, the others become links to it.</summary>
    private void CopyLinked(CancellationToken cancellationToken)
    {
        foreach (var group in linked.GroupBy(entry => (entry.Status.Device, entry.Status.Inode)))
        {
            cancellationToken.ThrowIfCancellationRequested();
            byte[]? first = null;
            foreach (var (path, status) in group)
            {
                using var sourceRoot = TreeDirectory.Open(source);
                using var targetRoot = TreeDirectory.Open(target);
                var (directory, name) = Cut(path);
                using var to = targetRoot.OpenBeneath(directory);
                if (first is null)
                {
                    using var from = sourceRoot.OpenBeneath(directory);
                    CopyEntry(from, to, name, status);
                    first = path;
                }
                else
                {
                    var (firstDirectory, firstName) = Cut(first);
                    using var holder = targetRoot.OpenBeneath(firstDirectory);
                    Check(to, name, "link", Link(holder, firstName, to, name));
                }
            }
        }
    }

    /// <summary>Owners, modes and times of directories come last: filling them changes their times.</summary>
    private void FinishDirectories()
    {
        foreach (var (path, status) in directories.OrderByDescending(entry => entry.Path.Length))
        {
            using var sourceRoot = TreeDirectory.Open(source);
            using var targetRoot = TreeDirectory.Open(target);
            using var from = sourceRoot.OpenBeneath(path);
            using var to = targetRoot.OpenBeneath(path);
            ApplyStatus(to, ".\0"u8, status);
            CopyAttributes(from, to, ".\0"u8);
        }
    }

    private void CopyEntry(TreeDirectory from, TreeDirectory to, byte[] name, EntryStatus status)
    {
        if (status.IsRegular)
        {
            CopyFile(from, to, name, status);
        }
        else if (status.IsLink)
        {
            Check(to, name, "make link", Symlink(from.ReadLink(name), to, name));
        }
        else
        {
            Check(to, name, "make node", MakeNode(to, name, status));
        }

        ApplyStatus(to, name, status);
        CopyAttributes(from, to, name); // after the owner: chown takes security.capability away
    }

    private void CopyFile(TreeDirectory from, TreeDirectory to, byte[] name, EntryStatus status)
    {
        using var input = from.OpenFile(name);
        using var output = to.CreateFile(name, 0x180 /* 0600 until its owner is set */);
        Interlocked.Increment(ref files);
        if (FileData.Copy(input, output, status.Size, $"{to.Path}/{TreeDirectory.Text(name)}"))
        {
            Interlocked.Increment(ref sharedFiles);
        }
    }

    private unsafe void CopyAttributes(TreeDirectory from, TreeDirectory to, ReadOnlySpan<byte> name)
    {
        foreach (var (attribute, value) in from.Attributes(name))
        {
            // SAFETY: everything is pinned, the path and the attribute's name end with NUL.
            fixed (byte* path = to.ProcPath(name), attributePointer = attribute, valuePointer = value)
            {
                if (TreeNative.SetAttribute(path, attributePointer, valuePointer, (nuint)value.Length, 0) != 0)
                {
                    var errno = Marshal.GetLastPInvokeError();
                    if (privileged || errno is not (Errno.EPERM or Errno.EOPNOTSUPP))
                    {
                        throw new LinuxException("set attribute of", $"{to.Path}/{TreeDirectory.Text(name)}", errno);
                    }
                }
            }
        }
    }

    private unsafe void ApplyStatus(TreeDirectory to, ReadOnlySpan<byte> name, EntryStatus status)
    {
        var fd = (int)to.Handle.DangerousGetHandle();
        Span<TreeNative.Timespec> times =
        [
            new() { Seconds = status.AccessTime.Seconds, Nanoseconds = status.AccessTime.Nanoseconds },
            new() { Seconds = status.ModifyTime.Seconds, Nanoseconds = status.ModifyTime.Nanoseconds },
        ];

        // SAFETY: name and times are pinned; the name ends with NUL; the directory is open.
        fixed (byte* pointer = name)
        fixed (TreeNative.Timespec* timesPointer = times)
        {
            if (privileged)
            {
                Check(to, name, "set owner of", TreeNative.ChownAt(fd, pointer, status.Uid, status.Gid, Libc.AT_SYMLINK_NOFOLLOW));
            }

            if (!status.IsLink)
            {
                // After the owner: chown clears set-user-id.
                Check(to, name, "set mode of", TreeNative.ChmodAt(fd, pointer, status.Mode & 0xFFF, 0));
            }

            Check(to, name, "set times of", TreeNative.SetTimesAt(fd, pointer, timesPointer, Libc.AT_SYMLINK_NOFOLLOW));
        }
    }

    private static void Check(TreeDirectory directory, ReadOnlySpan<byte> name, string operation, int result)
    {
        if (result != 0)
        {
            throw LinuxException.Last(operation, $"{directory.Path}/{TreeDirectory.Text(name)}");
        }
    }

    private static byte[] Join(byte[] path, byte[] name) =>
        path.Length == 0 ? name[..^1] : [.. path, (byte)'/', .. name.AsSpan(0, name.Length - 1)];

    private static (byte[] Directory, byte[] Name) Cut(byte[] path)
    {
        var slash = Array.LastIndexOf(path, (byte)'/');
        return slash < 0 ? ([], [.. path, 0]) : (path[..slash], [.. path.AsSpan(slash + 1), 0]);
    }

    private static unsafe int MakeDirectory(TreeDirectory to, byte[] name)
    {
        // SAFETY: pinned, ends with NUL.
        fixed (byte* pointer = name)
        {
            return TreeNative.MakeDirectoryAt((int)to.Handle.DangerousGetHandle(), pointer, 0x1C0 /* 0700 */);
        }
    }

    private static unsafe int MakeNode(TreeDirectory to, byte[] name, EntryStatus status)
    {
        // SAFETY: pinned, ends with NUL.
        fixed (byte* pointer = name)
        {
            return TreeNative.MakeNodeAt((int)to.Handle.DangerousGetHandle(), pointer, status.Type | 0x180, status.NodeDevice);
        }
    }

    private static unsafe int Symlink(byte[] linkTarget, TreeDirectory to, byte[] name)
    {
        // SAFETY: both are pinned and end with NUL.
        fixed (byte* pointer = name, targetPointer = (byte[])[.. linkTarget, 0])
        {
            return TreeNative.SymlinkAt(targetPointer, (int)to.Handle.DangerousGetHandle(), pointer);
        }
    }

    private static unsafe int Link(TreeDirectory holder, byte[] oldName, TreeDirectory to, byte[] name)
    {
        // SAFETY: both are pinned and end with NUL.
        fixed (byte* pointer = name, oldPointer = oldName)
        {
            return TreeNative.LinkAt((int)holder.Handle.DangerousGetHandle(), oldPointer, (int)to.Handle.DangerousGetHandle(), pointer, 0);
        }
    }
}
