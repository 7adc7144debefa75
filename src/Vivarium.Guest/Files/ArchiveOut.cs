using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux;
using Vivarium.Linux.Files;
using Vivarium.Linux.Tar;
using Vivarium.Wire.Errors;

namespace Vivarium.Guest.Files;

/// <summary>
/// Packs what is below a directory, as the acting user: every entry relative to it, hard links as such, sockets and the kernel's own file systems left out. What
/// cannot be read does not end the archive; it is reported with the closing answer.
/// </summary>
internal sealed class ArchiveOut : IDisposable
{
    private const int MaxDepth = 512;
    private const int MaxAttributeBytes = 64 * 1024;

    private readonly string _root;
    private readonly SafeFileHandle _directory;
    private readonly IReadOnlyList<string>? _paths;
    private readonly TarWriter _tar;
    private readonly byte[] _buffer = new byte[128 * 1024];
    private readonly byte[] _attribute = new byte[MaxAttributeBytes];
    private readonly Dictionary<(uint Major, uint Minor, ulong Inode), string> _linked = [];
    private int _failures;
    private ErrorInfo? _firstFailure;
    private CancellationToken _cancellationToken;

    private ArchiveOut(string root, SafeFileHandle directory, IReadOnlyList<string>? paths, ContentOutput output)
    {
        (_root, _directory, _paths, _tar) = (root, directory, paths, new TarWriter(output));
    }

    /// <summary>Opens the directory and looks whether what is asked for is there.</summary>
    public static ArchiveOut Open(string root, IReadOnlyList<string>? paths, ContentOutput output)
    {
        var fd = Names.Check(At.Open(At.Cwd, Names.Of(root), At.DirectoryOnly), "pack", root);
        var directory = new SafeFileHandle(fd, ownsHandle: true);
        try
        {
            var clean = paths?.Select(p => ArchiveIn.Clean(Names.Of(p))).ToList();
            foreach (var path in clean ?? [])
            {
                if (path.Length > 0 && FileStatus.Find(GuestPath.Join(root, Names.Text(path)), follow: false) is null)
                {
                    throw new LinuxException("pack", GuestPath.Join(root, Names.Text(path)), Errno.ENOENT);
                }
            }

            return new ArchiveOut(root, directory, clean, output);
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>Writes the archive; returns what could not be read, null when nothing.</summary>
    public ErrorInfo? Run(CancellationToken cancellationToken)
    {
        _cancellationToken = cancellationToken;
        if (_paths is null || _paths.Contains(""))
        {
            Content((int)_directory.DangerousGetHandle(), "", 0);
        }
        else
        {
            foreach (var path in _paths)
            {
                Named(path);
            }
        }

        _tar.Finish();
        return _failures <= 1 ? _firstFailure : _firstFailure! with { Message = $"{_firstFailure.Message} (and {_failures - 1} more that could not be read)" };
    }

    public void Dispose() => _directory.Dispose();

    private void Named(string path)
    {
        var slash = path.LastIndexOf('/');
        try
        {
            using var parent = OpenBeneath.Directory(_root, slash < 0 ? "." : Names.Text(path[..slash]));
            Entry((int)parent.DangerousGetHandle(), path[(slash + 1)..], path, 0);
        }
        catch (LinuxException e)
        {
            Failed(e, path);
        }
    }

    private void Content(int directory, string path, int depth)
    {
        if (depth == MaxDepth)
        {
            Failed(new LinuxException("pack", null, Errno.ENAMETOOLONG), path);
            return;
        }

        foreach (var name in List(directory, path))
        {
            Entry(directory, name, path.Length == 0 ? name : $"{path}/{name}", depth);
        }
    }

    private void Entry(int directory, string name, string path, int depth)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        using var parent = new SafeFileHandle(directory, ownsHandle: false);
        var error = FileStatus.TryGetAt(parent, Names.Text(name), out var status);
        if (error == Errno.ENOENT)
        {
            return; // it has gone since it was listed
        }

        if (error != 0)
        {
            Failed(new LinuxException("pack", null, error), path);
            return;
        }

        var entry = new TarEntry { Name = path, Mode = status.Mode, Uid = status.Uid, Gid = status.Gid, ModifiedUnixNs = status.ModifiedUnixNs, Device = status.Special };
        if (status.Kind != FileKind.Directory && status.Links > 1 && !_linked.TryAdd((status.Device.Major, status.Device.Minor, status.Inode), path))
        {
            entry.Type = TarEntryType.HardLink;
            entry.Target = _linked[(status.Device.Major, status.Device.Minor, status.Inode)];
            _tar.Add(entry);
            return;
        }

        switch (status.Kind)
        {
            case FileKind.Regular:
                PackFile(directory, name, entry, status);
                break;
            case FileKind.Directory:
                PackDirectory(directory, name, entry, depth);
                break;
            case FileKind.SymbolicLink:
                entry.Type = TarEntryType.SymbolicLink;
                entry.Target = At.ReadLink(directory, name) ?? "";
                _tar.Add(entry);
                break;
            case FileKind.Socket:
                break; // means nothing without its process
            default:
                entry.Type = status.Kind switch { FileKind.Fifo => TarEntryType.Fifo, FileKind.BlockDevice => TarEntryType.BlockDevice, _ => TarEntryType.CharacterDevice };
                _tar.Add(entry);
                break;
        }
    }

    private void PackFile(int directory, string name, TarEntry entry, FileStatus status)
    {
        var fd = At.Open(directory, name, At.ReadOnly | At.NoFollow | At.NonBlocking);
        if (fd < 0)
        {
            Failed(new LinuxException("pack", null, Marshal.GetLastPInvokeError()), entry.Name);
            _linked.Remove((status.Device.Major, status.Device.Minor, status.Inode));
            return;
        }

        try
        {
            entry.Type = TarEntryType.File;
            entry.Size = status.Size;
            AddAttributes(fd, entry);
            _tar.Add(entry);
            for (var left = status.Size; left > 0;)
            {
                var count = (int)At.Read(fd, _buffer.AsSpan(0, (int)Math.Min(_buffer.Length, left)));
                if (count < 0)
                {
                    Failed(new LinuxException("pack", null, Marshal.GetLastPInvokeError()), entry.Name);
                }

                if (count <= 0)
                {
                    break; // shorter than it was: the writer fills up
                }

                _tar.Content(_buffer.AsSpan(0, count));
                left -= count;
            }
        }
        finally
        {
            _ = At.close(fd);
        }
    }

    private void PackDirectory(int directory, string name, TarEntry entry, int depth)
    {
        var fd = At.Open(directory, name, At.DirectoryOnly | At.NoFollow);
        try
        {
            entry.Type = TarEntryType.Directory;
            if (fd >= 0)
            {
                AddAttributes(fd, entry);
            }

            _tar.Add(entry);
            if (fd < 0)
            {
                Failed(new LinuxException("pack", null, Marshal.GetLastPInvokeError()), entry.Name);
            }
            else if (!PseudoFileSystems.IsOne(GuestPath.Join(_root, Names.Text(entry.Name))))
            {
                Content(fd, entry.Name, depth + 1);
            }
        }
        finally
        {
            if (fd >= 0)
            {
                _ = At.close(fd);
            }
        }
    }

    private void AddAttributes(int fd, TarEntry entry)
    {
        var length = At.ListAttributes(fd, _attribute);
        if (length <= 0)
        {
            return; // none, or a file system without any
        }

        foreach (var name in Encoding.Latin1.GetString(_attribute, 0, (int)length).Split('\0', StringSplitOptions.RemoveEmptyEntries))
        {
            if ((name.StartsWith("user.", StringComparison.Ordinal) || name == "security.capability") && At.GetAttribute(fd, name, _attribute) is var size and >= 0)
            {
                entry.Attributes.Add((name, _attribute[..(int)size]));
            }
        }
    }

    /// <summary>Names in a directory. Source: getdents64(2): inode, offset, u16 record length, u8 type, name.</summary>
    private List<string> List(int directory, string path)
    {
        List<string> names = [];
        while (true)
        {
            var length = (int)At.ReadEntries(directory, _buffer);
            if (length < 0)
            {
                Failed(new LinuxException("pack", null, Marshal.GetLastPInvokeError()), path);
            }

            if (length <= 0)
            {
                return names;
            }

            for (var at = 0; at < length;)
            {
                var record = BinaryPrimitives.ReadUInt16LittleEndian(_buffer.AsSpan(at + 16));
                var name = _buffer.AsSpan(at + 19, record - 19);
                name = name[..name.IndexOf((byte)0)];
                if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                {
                    names.Add(Encoding.Latin1.GetString(name));
                }

                at += record;
            }
        }
    }

    private void Failed(LinuxException e, string path)
    {
        _failures++;
        _firstFailure ??= FileFailure.ToInfo(new LinuxException("pack", GuestPath.Join(_root, Names.Text(path)), e.Errno), "pack", _root);
    }
}
