using System.Text;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux;
using Vivarium.Linux.Tar;
using Vivarium.Linux.Trees;

namespace Vivarium.Templates.Import;

/// <summary>
/// A directory tree as the entries of an archive, in the order of names, the root (<c>.</c>) first: for a directory that is imported and a template that is
/// exported. Follows no link and enters no mount.
/// </summary>
internal sealed class TreeEntries(ImportNotes notes, bool devices, CancellationToken cancellationToken)
{
    private readonly Dictionary<ulong, string> linked = [];
    private ulong device;

    /// <summary>Takes one entry and, of a file, its open content.</summary>
    internal delegate void Visitor(TarEntry entry, SafeFileHandle? content);

    internal void Walk(string rootPath, Visitor visit)
    {
        using var root = TreeDirectory.Open(rootPath);
        var status = root.Status(".\0"u8) ?? throw new LinuxException("read status of", rootPath, Errno.ENOENT);
        device = status.Device;
        visit(Describe(root, ".\0"u8.ToArray(), ".", status, TarEntryType.Directory), null);
        Walk(root, "", 1, visit);
    }

    private void Walk(TreeDirectory directory, string path, int depth, Visitor visit)
    {
        if (depth > ImportLimits.MaxDepth)
        {
            throw new InvalidDataException($"it has directories deeper than {ImportLimits.MaxDepth}");
        }

        foreach (var name in directory.Names())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (directory.Status(name) is not { } status)
            {
                continue; // gone meanwhile
            }

            var child = path + Encoding.Latin1.GetString(name.AsSpan(0, name.Length - 1));
            if (TypeOf(status) is not { } type)
            {
                notes.Socket();
            }
            else if (type is TarEntryType.CharacterDevice or TarEntryType.BlockDevice && !devices)
            {
                notes.Device();
            }
            else if (type != TarEntryType.Directory)
            {
                Leaf(directory, name, child, status, type, visit);
            }
            else
            {
                visit(Describe(directory, name, child, status, type), null);
                if (status.Device != device)
                {
                    notes.OtherFileSystem();
                    continue;
                }

                using var inner = directory.OpenChild(name);
                Walk(inner, child + "/", depth + 1, visit);
            }
        }
    }

    private void Leaf(TreeDirectory directory, byte[] name, string path, EntryStatus status, TarEntryType type, Visitor visit)
    {
        if (status.Links > 1)
        {
            if (linked.TryGetValue(status.Inode, out var first))
            {
                var link = Describe(directory, name, path, status, TarEntryType.HardLink);
                link.Target = first;
                visit(link, null);
                return;
            }

            linked[status.Inode] = path;
        }

        var entry = Describe(directory, name, path, status, type);
        if (type == TarEntryType.SymbolicLink)
        {
            entry.Target = Encoding.Latin1.GetString(directory.ReadLink(name));
        }

        if (type != TarEntryType.File)
        {
            visit(entry, null);
            return;
        }

        using var file = directory.OpenFile(name);
        visit(entry, file);
    }

    private static TarEntry Describe(TreeDirectory directory, byte[] name, string path, EntryStatus status, TarEntryType type)
    {
        var entry = new TarEntry
        {
            Name = path,
            Type = type,
            Mode = (int)(status.Mode & 0xFFF),
            Uid = status.Uid,
            Gid = status.Gid,
            Size = type == TarEntryType.File ? status.Size : 0,
            ModifiedUnixNs = (status.ModifyTime.Seconds * 1_000_000_000) + status.ModifyTime.Nanoseconds,
        };
        if (type is TarEntryType.CharacterDevice or TarEntryType.BlockDevice)
        {
            var number = status.NodeDevice;
            entry.Device = ((uint)(((number >> 8) & 0xfff) | ((number >> 32) & 0xfffff000)), (uint)((number & 0xff) | ((number >> 12) & 0xffffff00)));
        }

        if (type is TarEntryType.File or TarEntryType.Directory)
        {
            foreach (var (attribute, value) in directory.Attributes(name))
            {
                var text = Encoding.Latin1.GetString(attribute.AsSpan(0, attribute.Length - 1));
                if (ImportedAttributes.Keeps(text, type))
                {
                    entry.Attributes.Add((text, value));
                }
            }
        }

        return entry;
    }

    private static TarEntryType? TypeOf(EntryStatus status) => status.Type switch
    {
        0x8000 => TarEntryType.File,
        0x4000 => TarEntryType.Directory,
        0xA000 => TarEntryType.SymbolicLink,
        0x1000 => TarEntryType.Fifo,
        0x2000 => TarEntryType.CharacterDevice,
        0x6000 => TarEntryType.BlockDevice,
        _ => null,
    };
}
