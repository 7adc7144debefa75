namespace Vivarium.Linux.Trees;

/// <summary>Bytes and entries of a directory tree.</summary>
/// <param name="AllocatedBytes">Bytes on disk; a file with several links counts once.</param>
/// <param name="Entries">Entries, the root not counted.</param>
/// <param name="Complete">False when a bound was reached: the figures are lower bounds.</param>
public readonly record struct TreeUsage(long AllocatedBytes, long Entries, bool Complete)
{
    private const int MaximumPathBytes = 1 << 20;

    /// <summary>Adds up a tree that others may be changing; what vanishes meanwhile is not counted.</summary>
    public static TreeUsage Of(string path, long maximumEntries, CancellationToken cancellationToken)
    {
        using var root = TreeDirectory.Open(path);
        var pending = new Stack<byte[]>();
        pending.Push([]);
        var linked = new HashSet<ulong>();
        long bytes = 0, entries = 0;
        while (pending.TryPop(out var relative))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (relative.Length > MaximumPathBytes)
            {
                return new TreeUsage(bytes, entries, false);
            }

            try
            {
                using var directory = root.OpenBeneath(relative);
                foreach (var name in directory.Names())
                {
                    if (++entries > maximumEntries)
                    {
                        return new TreeUsage(bytes, entries, false);
                    }

                    if (directory.Status(name) is not { } status)
                    {
                        continue;
                    }

                    if (status.IsDirectory || status.Links <= 1 || linked.Add(status.Inode))
                    {
                        bytes += status.AllocatedBytes;
                    }

                    if (status.IsDirectory)
                    {
                        var bare = name.AsSpan(0, name.Length - 1);
                        pending.Push(relative.Length == 0 ? bare.ToArray() : [.. relative, (byte)'/', .. bare]);
                    }
                }
            }
            catch (LinuxException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP)
            {
                // Replaced or removed while we looked.
            }
        }

        return new TreeUsage(bytes, entries, true);
    }
}
