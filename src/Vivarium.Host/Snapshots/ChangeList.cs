using System.Globalization;
using System.Text;
using Vivarium.Volumes;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Snapshots;

/// <summary>Gathers differences: all are counted, the first in order of their paths are kept. Memory is bounded by what is kept.</summary>
internal sealed class ChangeList(int keep)
{
    /// <summary>Paths named in a record.</summary>
    public const int Named = 10;

    /// <summary>A deep tree can have paths of any length; a record names no more of one than this.</summary>
    private const int LongestPath = 4096;

    private static readonly Comparer<VolumeChange> ByPath = Comparer<VolumeChange>.Create(static (a, b) => a.Path.AsSpan().SequenceCompareTo(b.Path));

    private readonly PriorityQueue<VolumeChange, VolumeChange> first = new(Comparer<VolumeChange>.Create(static (a, b) => ByPath.Compare(b, a)));
    private int added;
    private int changed;
    private int removed;

    /// <summary>Entries that differ.</summary>
    public int Count => added + changed + removed;

    /// <summary>Takes one.</summary>
    public void Add(VolumeChange change)
    {
        switch (change.Kind)
        {
            case VolumeChangeKind.Added:
                added++;
                break;
            case VolumeChangeKind.Removed:
                removed++;
                break;
            default:
                changed++;
                break;
        }

        first.Enqueue(change, change);
        if (first.Count > keep)
        {
            first.Dequeue();
        }
    }

    /// <summary>Counts, and the first paths.</summary>
    public ChangeSummary Summary()
    {
        var names = Ordered().Take(Named).Select(static c => $"{Mark(c.Kind)}{Text(c.Path)}").ToArray();
        return new ChangeSummary { Added = added, Changed = changed, Removed = removed, First = names.Length == 0 ? null : names };
    }

    /// <summary>What was kept, in order.</summary>
    public IReadOnlyList<ChangeEntry> Entries() => [.. Ordered().Select(static c => new ChangeEntry
    {
        Change = c.Kind switch { VolumeChangeKind.Added => "added", VolumeChangeKind.Removed => "removed", _ => "changed" },
        Path = Text(c.Path),
        Type = (c.Mode & 0xF000) switch { 0x8000 => "file", 0x4000 => "directory", 0xA000 => "symlink", _ => "other" },
        SizeBefore = c.Kind == VolumeChangeKind.Added ? null : c.SizeBefore,
        SizeAfter = c.Kind == VolumeChangeKind.Removed ? null : c.SizeAfter,
    })];

    /// <summary>A path as text: what is not UTF-8, and the backslash, as <c>\xNN</c>, so that two paths never read the same.</summary>
    internal static string Text(ReadOnlySpan<byte> path)
    {
        var text = new StringBuilder("/");
        var rest = path.Length > LongestPath ? path[..LongestPath] : path;
        while (rest.Length > 0)
        {
            var status = Rune.DecodeFromUtf8(rest, out var rune, out var used);
            if (status == System.Buffers.OperationStatus.Done && rune.Value != '\\' && !Rune.IsControl(rune))
            {
                text.Append(rune);
            }
            else
            {
                foreach (var b in rest[..used])
                {
                    text.Append(CultureInfo.InvariantCulture, $"\\x{b:x2}");
                }
            }

            rest = rest[used..];
        }

        return path.Length > LongestPath ? text.Append('…').ToString() : text.ToString();
    }

    private static char Mark(VolumeChangeKind kind) => kind switch { VolumeChangeKind.Added => '+', VolumeChangeKind.Removed => '-', _ => '~' };

    private VolumeChange[] Ordered() => [.. first.UnorderedItems.Select(static i => i.Element).Order(ByPath)];
}
