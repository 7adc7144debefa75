using System.Runtime.InteropServices;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Linux.Files;
using Vivarium.Linux.Tar;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Copy;

/// <summary>Packs files and folders of this machine into a tar stream: modes, times, links, also hard ones. Sockets and devices are left out and named.</summary>
internal sealed class FolderPacker(TarWriter tar, CopyCount count, TextOut messages)
{
    private readonly Dictionary<(ulong Inode, uint Major, uint Minor), string> _linked = [];
    private readonly byte[] _buffer = new byte[FileSession.ChunkBytes];

    /// <summary>Packs one path under a name; an empty name packs what is in the folder, without the folder itself.</summary>
    public void Add(string path, string name)
    {
        var status = FileStatus.Find(path, follow: false) ?? throw new VivariumException(ErrorCode.NotFound, $"{path} does not exist", "check the path");

        // What is named outright may be a link to a folder; what is found inside is packed as it is.
        if (name.Length == 0 && status.Kind == FileKind.SymbolicLink)
        {
            status = FileStatus.Of(path);
        }

        Add(path, name, status);
    }

    private void Add(string path, string name, FileStatus status)
    {
        var entry = new TarEntry { Name = TarText.ToBytes(name), Type = TarEntryType.File, Mode = status.Mode, Uid = status.Uid, Gid = status.Gid, ModifiedUnixNs = status.ModifiedUnixNs };
        switch (status.Kind)
        {
            case FileKind.Regular:
                AddFile(path, entry, status);
                break;
            case FileKind.Directory:
                if (name.Length > 0)
                {
                    entry.Type = TarEntryType.Directory;
                    tar.Add(entry);
                    count.Entry();
                }

                AddChildren(path, name);
                break;
            case FileKind.SymbolicLink:
                entry.Type = TarEntryType.SymbolicLink;
                entry.Target = TarText.ToBytes(new FileInfo(path).LinkTarget ?? "");
                tar.Add(entry);
                count.Entry();
                break;
            case FileKind.Fifo:
                entry.Type = TarEntryType.Fifo;
                tar.Add(entry);
                count.Entry();
                break;
            default:
                messages.Line($"viv: {path} is left out: a {(status.Kind == FileKind.Socket ? "socket" : "device")} cannot be copied").Flush();
                break;
        }
    }

    private void AddChildren(string path, string name)
    {
        var children = Directory.GetFileSystemEntries(path);
        Array.Sort(children, StringComparer.Ordinal);
        foreach (var child in children)
        {
            var leaf = Path.GetFileName(child);
            if (leaf.Contains('\uFFFD', StringComparison.Ordinal) && !Path.Exists(child))
            {
                throw new VivariumException(ErrorCode.InvalidArgument, $"a name in {path} is not valid UTF-8", $"use tar: tar c {path} | viv cp - SANDBOX:DIR");
            }

            // It may be gone by now; then there is nothing to copy.
            if (FileStatus.Find(child, follow: false) is { } status)
            {
                Add(child, name.Length == 0 ? leaf : $"{name}/{leaf}", status);
            }
        }
    }

    private void AddFile(string path, TarEntry entry, FileStatus status)
    {
        if (status.Links > 1)
        {
            var key = (status.Inode, status.Device.Major, status.Device.Minor);
            if (_linked.TryGetValue(key, out var first))
            {
                entry.Type = TarEntryType.HardLink;
                entry.Target = first;
                tar.Add(entry);
                count.Entry();
                return;
            }

            _linked.Add(key, entry.Name);
        }

        var fd = Posix.open(path, Posix.OCloexec | Posix.ONofollow, 0);
        if (fd < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            throw new VivariumException(ErrorCode.PermissionDenied, $"{path} cannot be read: {Marshal.GetPInvokeErrorMessage(errno)}");
        }

        try
        {
            entry.Size = status.Size;
            tar.Add(entry);
            count.Entry();
            for (var left = status.Size; left > 0;)
            {
                var read = Fd.Read(fd, _buffer.AsSpan(0, (int)Math.Min(left, _buffer.Length)));
                if (read == 0)
                {
                    break; // it shrank; the writer fills up
                }

                tar.Content(_buffer.AsSpan(0, read));
                count.Content(read);
                left -= read;
            }
        }
        finally
        {
            _ = Posix.close(fd);
        }
    }
}
