using System.Buffers;
using System.Text;
using Vivarium.Linux;
using Vivarium.Linux.Tar;
using Vivarium.Linux.Trees;

namespace Vivarium.Templates.Import;

/// <summary>Gives the content of the entry in hand, 0 at its end.</summary>
internal delegate int ContentReader(Span<byte> target);

/// <summary>
/// Puts entries into a root directory, layer upon layer. Hostile: every entry is made by one step in a directory that is opened beneath the root without
/// following any link (openat2), so nothing can be written outside, whatever the names and links say. Source of layers and whiteouts: OCI image-spec, layer.md.
/// </summary>
internal sealed class TreeUnpacker : IDisposable
{
    private const int BufferBytes = 128 * 1024;
    private const string Whiteout = ".wh.";
    private const string Opaque = ".wh..wh..opq";
    private const string Reserved = ".wh..wh.";

    private readonly TreeDirectory root;
    private readonly ImportLimits limits;
    private readonly ImportNotes notes;
    private readonly CancellationToken cancellationToken;
    private readonly Dictionary<string, Made> layer = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> times = new(StringComparer.Ordinal);
    private readonly HashSet<string> skipped = new(StringComparer.Ordinal);
    private readonly byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
    private TreeDirectory? parent;
    private string parentPath = "";
    private bool whiteouts;
    private long entries;
    private long bytes;

    internal TreeUnpacker(string rootPath, ImportLimits limits, ImportNotes notes, CancellationToken cancellationToken)
    {
        this.limits = limits;
        this.notes = notes;
        this.cancellationToken = cancellationToken;
        root = TreeDirectory.Open(rootPath);
    }

    private enum Made
    {
        Ancestor,
        Directory,
        Other,
    }

    public void Dispose()
    {
        parent?.Dispose();
        root.Dispose();
        ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>Begins a layer; in one of an image, <c>.wh.</c> names remove what is below.</summary>
    internal void BeginLayer(bool withWhiteouts)
    {
        whiteouts = withWhiteouts;
        layer.Clear();
    }

    /// <summary>Makes one entry.</summary>
    internal void Apply(TarEntry entry, ContentReader content)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (++entries > limits.MaxEntries)
        {
            throw ImportErrors.TooLarge($"it has more than {limits.MaxEntries} entries", "import_max_entries");
        }

        var path = entry is { Name.Length: 0, Type: TarEntryType.Directory } ? throw ImportErrors.Unsafe("/", "has an absolute name") : EntryPath.Parse(entry.Name);
        if (path.IsRoot)
        {
            ApplyRoot(entry);
            return;
        }

        if (whiteouts && path.Text.Split('/').SkipLast(1).Any(step => step.StartsWith(Whiteout, StringComparison.Ordinal)))
        {
            throw ImportErrors.Unsafe(entry.Name, "lies below a whiteout");
        }

        if (whiteouts && path.Name.StartsWith(Whiteout, StringComparison.Ordinal))
        {
            ApplyWhiteout(path, entry.Name);
            return;
        }

        if (entry.Type is TarEntryType.CharacterDevice or TarEntryType.BlockDevice)
        {
            notes.Device();
            skipped.Add(path.Text);
            return;
        }

        Note(path, entry);
        var directory = Parent(path.Parent, create: true)!;
        var name = path.NameBytes;
        var there = directory.Status(name);
        if (entry.Type == TarEntryType.HardLink)
        {
            ApplyHardLink(path, entry, directory, name, there is not null);
            return;
        }

        if (there is { } status && !(status.IsDirectory && entry.Type == TarEntryType.Directory))
        {
            Remove(directory, name);
            there = null;
        }

        Touch(path.Parent, directory);
        Make(path, entry, content, directory, name, there is not null);
        ApplyStatus(path, entry, directory, name);
    }

    /// <summary>Sets the times of directories, after all that is in them was made.</summary>
    internal void Finish()
    {
        parent?.Dispose();
        parent = null;
        foreach (var (text, time) in times)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var path = new EntryPath(text);
            if (path.IsRoot)
            {
                root.SetTime(".\0"u8.ToArray(), time);
            }
            else if (Parent(path.Parent, create: false) is { } directory && directory.Status(path.NameBytes) is { IsDirectory: true })
            {
                directory.SetTime(path.NameBytes, time);
            }
        }
    }

    private void ApplyRoot(TarEntry entry)
    {
        if (entry.Type != TarEntryType.Directory)
        {
            throw ImportErrors.Unsafe(entry.Name, "replaces the root by something else");
        }

        ApplyStatus(new EntryPath(""), entry, root, ".\0"u8.ToArray());
    }

    /// <summary>Remembers what this layer makes; a second entry of one name is a trick (a link replaced by a directory, for one), but for directories.</summary>
    private void Note(EntryPath path, TarEntry entry)
    {
        var made = entry.Type == TarEntryType.Directory ? Made.Directory : Made.Other;
        if (layer.TryGetValue(path.Text, out var before) && (before == Made.Other || made == Made.Other))
        {
            throw ImportErrors.Unsafe(entry.Name, "is in the archive twice");
        }

        layer[path.Text] = made;
        for (var above = path.Parent; !above.IsRoot && layer.TryAdd(above.Text, Made.Ancestor); above = above.Parent)
        {
        }
    }

    private void Make(EntryPath path, TarEntry entry, ContentReader content, TreeDirectory directory, byte[] name, bool exists)
    {
        switch (entry.Type)
        {
            case TarEntryType.Directory when exists:
                ClearAttributes(directory, name);
                break;
            case TarEntryType.Directory:
                directory.MakeDirectory(name, 0x1C0 /* 0700 */);
                break;
            case TarEntryType.SymbolicLink:
                directory.MakeLink(name, LinkTarget(entry));
                break;
            case TarEntryType.Fifo:
                directory.MakeFifo(name);
                break;
            default:
                WriteFile(entry, content, directory, name, path);
                break;
        }
    }

    private void WriteFile(TarEntry entry, ContentReader content, TreeDirectory directory, byte[] name, EntryPath path)
    {
        if (entry.Size > limits.MaxBytes - bytes)
        {
            throw ImportErrors.TooLarge($"it unpacks to more than {limits.MaxBytes} bytes", "import_max_bytes");
        }

        bytes += entry.Size;
        using var file = directory.CreateFile(name, 0x180 /* 0600 until its owner is set */);
        long position = 0;
        for (int read; (read = Fill(content)) > 0; position += read)
        {
            cancellationToken.ThrowIfCancellationRequested();

            // Zeros become a hole: what unpacks to nothing takes no room.
            if (buffer.AsSpan(0, read).ContainsAnyExcept((byte)0))
            {
                RandomAccess.Write(file, buffer.AsSpan(0, read), position);
            }
        }

        if (position != entry.Size)
        {
            throw new EndOfStreamException($"the file {ImportErrors.Quote(path.Text)} has {position} of {entry.Size} bytes");
        }

        if (position > 0)
        {
            TreeMaking.SetLength(file, position, path.Text);
        }
    }

    private int Fill(ContentReader content)
    {
        var filled = 0;
        while (filled < BufferBytes && content(buffer.AsSpan(filled, BufferBytes - filled)) is var read and > 0)
        {
            filled += read;
        }

        return filled;
    }

    private void ApplyHardLink(EntryPath path, TarEntry entry, TreeDirectory directory, byte[] name, bool replaces)
    {
        var target = EntryPath.Parse(entry.Target);
        if (target == path)
        {
            throw ImportErrors.Unsafe(entry.Name, "is a hard link to itself");
        }

        if (skipped.Contains(target.Text))
        {
            notes.Device();
            return;
        }

        using var holder = Beneath(target.Parent, create: false);
        if (holder?.Status(target.NameBytes) is not { } status || status.IsDirectory)
        {
            throw ImportErrors.Unsafe(entry.Name, $"is a hard link to {ImportErrors.Quote(entry.Target)}, which is no file before it");
        }

        if (replaces)
        {
            Remove(directory, name);
        }

        Touch(path.Parent, directory);
        directory.MakeHardLink(name, holder, target.NameBytes);
    }

    private void ApplyWhiteout(EntryPath path, string shown)
    {
        var directory = Parent(path.Parent, create: false);
        if (path.Name == Opaque)
        {
            if (directory is not null)
            {
                Touch(path.Parent, directory);
                RemoveLower(directory, path.Parent);
            }

            return;
        }

        if (path.Name.StartsWith(Reserved, StringComparison.Ordinal))
        {
            return; // what aufs kept beside its layers; means nothing here
        }

        var hidden = path.Name[Whiteout.Length..];
        if (hidden is "" or "." or "..")
        {
            throw ImportErrors.Unsafe(shown, "is a whiteout of a parent");
        }

        if (directory is null)
        {
            return; // hides what is not there
        }

        Touch(path.Parent, directory);
        RemoveLowerChild(directory, path.Parent.Child(hidden));
    }

    /// <summary>Removes what layers below have in a directory; what this one made stays, whichever came first.</summary>
    private void RemoveLower(TreeDirectory directory, EntryPath path)
    {
        foreach (var name in directory.Names())
        {
            RemoveLowerChild(directory, path.Child(Encoding.Latin1.GetString(name.AsSpan(0, name.Length - 1))));
        }
    }

    private void RemoveLowerChild(TreeDirectory directory, EntryPath path)
    {
        var name = path.NameBytes;
        if (!layer.TryGetValue(path.Text, out _))
        {
            Remove(directory, name);
        }
        else if (directory.Status(name) is { IsDirectory: true })
        {
            using var inner = directory.OpenChild(name);
            RemoveLower(inner, path);
        }
    }

    private void Remove(TreeDirectory directory, byte[] name) => TreeRemoval.RemoveChild(directory, name, cancellationToken);

    private void ApplyStatus(EntryPath path, TarEntry entry, TreeDirectory directory, byte[] name)
    {
        directory.SetOwner(name, entry.Uid, entry.Gid);
        if (entry.Type != TarEntryType.SymbolicLink)
        {
            directory.SetMode(name, (uint)entry.Mode); // after the owner, which takes set-user-id away
        }

        foreach (var (attribute, value) in entry.Attributes)
        {
            if (ImportedAttributes.Keeps(attribute, entry.Type))
            {
                directory.SetAttribute(name, EntryPath.NameOf(attribute), value);
            }
            else
            {
                notes.Attribute(attribute);
            }
        }

        if (entry.Type == TarEntryType.Directory)
        {
            times[path.Text] = entry.ModifiedUnixNs;
        }
        else
        {
            directory.SetTime(name, entry.ModifiedUnixNs);
        }
    }

    private static void ClearAttributes(TreeDirectory directory, byte[] name)
    {
        foreach (var (attribute, _) in directory.Attributes(name))
        {
            directory.RemoveAttribute(name, attribute);
        }
    }

    /// <summary>A directory that is changed keeps the time it had, unless its own entry says another.</summary>
    private void Touch(EntryPath path, TreeDirectory directory)
    {
        if (!times.ContainsKey(path.Text) && directory.Status(".\0"u8) is { } status)
        {
            times[path.Text] = (status.ModifyTime.Seconds * 1_000_000_000) + status.ModifyTime.Nanoseconds;
        }
    }

    /// <summary>The directory that will hold an entry, kept open for the next one.</summary>
    private TreeDirectory? Parent(EntryPath path, bool create)
    {
        if (path.IsRoot)
        {
            return root;
        }

        if (parent is not null && parentPath == path.Text && parent.Status(".\0"u8) is { Links: > 0 })
        {
            return parent;
        }

        parent?.Dispose();
        parent = null;
        parent = Beneath(path, create);
        parentPath = path.Text;
        return parent;
    }

    private TreeDirectory? Beneath(EntryPath path, bool create)
    {
        try
        {
            return root.OpenBeneath(path.Bytes);
        }
        catch (LinuxException e) when (e.Errno == Errno.ENOENT)
        {
            return create ? MakeAncestors(path) : null;
        }
        catch (LinuxException e) when (e.Errno is Errno.ELOOP or Errno.ENOTDIR or Errno.EXDEV)
        {
            throw ImportErrors.Unsafe(path.Text, "is used as a directory and is a link or a file");
        }
    }

    /// <summary>Directories an archive leaves out: root's, 0755, of no particular time.</summary>
    private TreeDirectory MakeAncestors(EntryPath path)
    {
        using (var above = path.Parent.IsRoot ? null : Beneath(path.Parent, create: true))
        {
            var directory = above ?? root;
            Touch(path.Parent, directory);
            directory.MakeDirectory(path.NameBytes, 0x1ED /* 0755 */);
            directory.SetMode(path.NameBytes, 0x1ED);
            times[path.Text] = 0;
        }

        return root.OpenBeneath(path.Bytes);
    }

    private static byte[] LinkTarget(TarEntry entry)
    {
        if (entry.Target.Length is 0 or > 4095 || entry.Target.Contains('\0'))
        {
            throw ImportErrors.Unsafe(entry.Name, "is a symbolic link without a usable target");
        }

        return Encoding.Latin1.GetBytes(entry.Target);
    }
}
