using System.Text;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Files;

namespace Vivarium.Linux.Btrfs;

/// <summary>How an entry differs.</summary>
public enum EntryChange
{
    /// <summary>Only in the second.</summary>
    Added,

    /// <summary>In both, with another content, mode, owner, attribute, target or (but for directories) time of modification.</summary>
    Changed,

    /// <summary>Only in the first.</summary>
    Removed,
}

/// <summary>One difference.</summary>
/// <param name="Change">How it differs.</param>
/// <param name="Path">Path below the root, bytes, without a slash at its beginning.</param>
/// <param name="Type">Type bits of <c>st_mode</c>, of the second where it is there.</param>
/// <param name="SizeBefore">Bytes in the first; 0 when not there.</param>
/// <param name="SizeAfter">Bytes in the second; 0 when not there.</param>
public readonly record struct EntryDifference(EntryChange Change, byte[] Path, uint Type, long SizeBefore, long SizeAfter);

/// <summary>
/// Differences between two read-only subvolumes of common descent, from the transactions their inodes carry: what is younger than the point they have in common
/// is looked at, the rest is neither read nor walked.
/// </summary>
/// <remarks>
/// A change of a file or of a name changes its inode or its directory's, and the inode says in which transaction. So: gather the changed inodes of both, mark the
/// directories above them, and compare entry by entry down the marked ones. What has the same inode on both sides and no mark is the same. A moved directory is
/// removed at one place and added at another, with all below it.
/// </remarks>
public sealed class SubvolumeDiff
{
    private const int ComparedBytes = 64 * 1024 * 1024;
    private readonly string fromPath;
    private readonly string toPath;
    private readonly InodeTree from;
    private readonly InodeTree to;
    private readonly Action<EntryDifference> found;
    private readonly HashSet<ulong> marked = [];
    private readonly Stack<Pair> open = new();
    private bool everything;
    private long readable = ComparedBytes;

    private SubvolumeDiff(string fromPath, string toPath, InodeTree from, InodeTree to, Action<EntryDifference> found)
    {
        this.fromPath = fromPath;
        this.toPath = toPath;
        this.from = from;
        this.to = to;
        this.found = found;
    }

    /// <summary>Compares; every difference is told once, in no particular order.</summary>
    /// <param name="fromPath">The first subvolume.</param>
    /// <param name="toPath">The second.</param>
    /// <param name="since">Transaction of the newest point both come from; 0 looks at everything.</param>
    /// <param name="limit">Changed inodes kept in memory; above it everything is compared instead.</param>
    /// <param name="found">Told each difference.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Bytes of data in the second that are younger than <paramref name="since"/>; null when not counted.</returns>
    public static long? Compare(string fromPath, string toPath, ulong since, int limit, Action<EntryDifference> found, CancellationToken cancellationToken)
    {
        using var from = new InodeTree(fromPath);
        using var to = new InodeTree(toPath);
        return new SubvolumeDiff(fromPath, toPath, from, to, found).Run(since, limit, cancellationToken);
    }

    private long? Run(ulong since, int limit, CancellationToken cancellationToken)
    {
        var changed = new HashSet<ulong>();
        var written = since == 0 ? null : to.AddNewer(since, changed, limit, cancellationToken);
        everything = written is null || from.AddNewer(since, changed, limit, cancellationToken) is null;
        if (!everything)
        {
            foreach (var tree in (InodeTree[])[from, to])
            {
                MarkAbove(tree, changed, cancellationToken);
            }

            if (changed.Count == 0)
            {
                return written;
            }
        }

        open.Push(new Pair(InodeTree.Root, InodeTree.Root, []));
        while (open.TryPop(out var next))
        {
            cancellationToken.ThrowIfCancellationRequested();
            CompareDirectories(next);
        }

        return written;
    }

    private void MarkAbove(InodeTree tree, HashSet<ulong> changed, CancellationToken cancellationToken)
    {
        // Marks are kept for each tree apart: in one a file may lie elsewhere than in the other, and both places are looked at.
        var seen = new HashSet<ulong>();
        var todo = new Stack<ulong>(changed);
        while (todo.TryPop(out var inode))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (seen.Add(inode))
            {
                marked.Add(inode);
                tree.AddParents(inode, todo);
            }
        }
    }

    private void CompareDirectories(in Pair pair)
    {
        var before = new Dictionary<string, InodeTree.Entry>(StringComparer.Ordinal);
        foreach (var entry in from.Entries(pair.From))
        {
            before[Key(entry.Name)] = entry;
        }

        foreach (var entry in to.Entries(pair.To))
        {
            var path = Join(pair.Path, entry.Name);
            if (before.Remove(Key(entry.Name), out var old))
            {
                CompareEntries(path, old.Inode, entry.Inode);
            }
            else
            {
                TellAll(to, EntryChange.Added, path, entry.Inode);
            }
        }

        foreach (var old in before.Values)
        {
            TellAll(from, EntryChange.Removed, Join(pair.Path, old.Name), old.Inode);
        }
    }

    private void CompareEntries(byte[] path, ulong oldInode, ulong newInode)
    {
        if (oldInode == newInode && !everything && !marked.Contains(newInode))
        {
            return;
        }

        if (Facts(from, oldInode) is not { } a || Facts(to, newInode) is not { } b)
        {
            return;
        }

        if (a.IsDirectory != b.IsDirectory)
        {
            if (a.IsDirectory)
            {
                TellBelow(from, EntryChange.Removed, path, oldInode);
            }

            found(new EntryDifference(EntryChange.Changed, path, b.Type, Size(a), Size(b)));
            if (b.IsDirectory)
            {
                TellBelow(to, EntryChange.Added, path, newInode);
            }

            return;
        }

        if (!a.LooksLike(b) || !SameAttributes(oldInode, newInode) || (!a.IsDirectory && !SameContent(path, oldInode, newInode, a)))
        {
            found(new EntryDifference(EntryChange.Changed, path, b.Type, Size(a), Size(b)));
        }

        if (b.IsDirectory && oldInode != 0 && newInode != 0)
        {
            open.Push(new Pair(oldInode, newInode, path));
        }
    }

    private bool SameAttributes(ulong oldInode, ulong newInode) => Same(from.Content(oldInode, attributes: true), to.Content(newInode, attributes: true), ordered: false);

    private bool SameContent(byte[] path, ulong oldInode, ulong newInode, in InodeFacts facts)
    {
        if (Same(from.Content(oldInode, attributes: false), to.Content(newInode, attributes: false), ordered: true))
        {
            return true;
        }

        // Written anew with the same size and time, as unpacking an archive does: only reading tells.
        return facts.IsRegular && (long)facts.Size <= readable && SameBytes(path, (long)facts.Size);
    }

    private static bool Same(List<(ulong Offset, byte[] Data)> a, List<(ulong Offset, byte[] Data)> b, bool ordered)
    {
        if (a.Count != b.Count)
        {
            return false;
        }

        for (var i = 0; i < a.Count; i++)
        {
            var one = a[i];
            if (ordered ? one.Offset != b[i].Offset || !one.Data.AsSpan().SequenceEqual(b[i].Data) : !b.Exists(other => other.Offset == one.Offset && one.Data.AsSpan().SequenceEqual(other.Data)))
            {
                return false;
            }
        }

        return true;
    }

    private bool SameBytes(byte[] path, long size)
    {
        readable -= size;
        try
        {
            var text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(path);
            using var a = OpenBeneath.Read(fromPath, text, allowLinks: false);
            using var b = OpenBeneath.Read(toPath, text, allowLinks: false);
            return SameBytes(a, b, size);
        }
        catch (Exception e) when (e is LinuxException or IOException or DecoderFallbackException)
        {
            // Cannot be read by this name: it was written, which is all that is known.
            return false;
        }
    }

    private static bool SameBytes(SafeFileHandle a, SafeFileHandle b, long size)
    {
        byte[] one = new byte[64 * 1024], other = new byte[64 * 1024];
        for (long offset = 0; offset < size;)
        {
            var count = RandomAccess.Read(a, one, offset);
            if (count == 0 || RandomAccess.Read(b, other.AsSpan(0, count), offset) != count || !one.AsSpan(0, count).SequenceEqual(other.AsSpan(0, count)))
            {
                return false;
            }

            offset += count;
        }

        return true;
    }

    private void TellAll(InodeTree tree, EntryChange change, byte[] path, ulong inode)
    {
        if (Facts(tree, inode) is not { } facts)
        {
            return;
        }

        var size = Size(facts);
        found(new EntryDifference(change, path, facts.Type, change == EntryChange.Removed ? size : 0, change == EntryChange.Added ? size : 0));
        if (facts.IsDirectory)
        {
            TellBelow(tree, change, path, inode);
        }
    }

    private void TellBelow(InodeTree tree, EntryChange change, byte[] path, ulong inode)
    {
        var below = new Stack<(byte[] Path, ulong Inode)>([(path, inode)]);
        while (below.TryPop(out var directory))
        {
            if (directory.Inode == 0)
            {
                continue;
            }

            foreach (var entry in tree.Entries(directory.Inode))
            {
                if (Facts(tree, entry.Inode) is not { } facts)
                {
                    continue;
                }

                var name = Join(directory.Path, entry.Name);
                var size = Size(facts);
                found(new EntryDifference(change, name, facts.Type, change == EntryChange.Removed ? size : 0, change == EntryChange.Added ? size : 0));
                if (facts.IsDirectory)
                {
                    below.Push((name, entry.Inode));
                }
            }
        }
    }

    /// <summary>A subvolume inside is an empty directory in a snapshot.</summary>
    private static InodeFacts? Facts(InodeTree tree, ulong inode) =>
        inode == 0 ? new InodeFacts(0, 0, 0, 0, 0, 0x4000 | 0x1ed, 0, 0, 0) : tree.Find(inode);

    private static long Size(in InodeFacts facts) => facts.IsDirectory ? 0 : (long)facts.Size;

    private static string Key(byte[] name) => Encoding.Latin1.GetString(name);

    private static byte[] Join(byte[] directory, byte[] name) => directory.Length == 0 ? name : [.. directory, (byte)'/', .. name];

    private readonly record struct Pair(ulong From, ulong To, byte[] Path);
}
