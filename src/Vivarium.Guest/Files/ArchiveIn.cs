using System.Runtime.InteropServices;
using Vivarium.Linux;
using Vivarium.Linux.Files;
using Vivarium.Linux.Tar;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Files;

/// <summary>
/// Unpacks an archive below a directory, as the acting user. Names that lead upwards are refused, and no link in the tree leads outside it (see
/// <see cref="ArchivePlaces"/>). Owners, set-user-id bits and privileged attributes are taken over only on request.
/// </summary>
internal sealed class ArchiveIn(string root, FileRequest request, CancellationToken cancellationToken)
{
    private const int SafeModeBits = 0x3FF; // sticky and permissions; set-user-id and set-group-id only with their owner
    private const int MaxDirectoriesRemembered = 1_000_000;
    private const int SparseBlock = 64 * 1024;
    private static readonly int Umask = ReadUmask();

    private readonly byte[] _buffer = new byte[256 * 1024];
    private readonly List<(string Path, int Mode, TarEntry Entry)> _directories = [];

    public FileReply Run(ContentInput input)
    {
        if (request.Parents)
        {
            GuestPath.MakeDirectories(root);
        }

        using var places = new ArchivePlaces(root);
        var tar = new TarReader(input);
        var bytes = 0L;
        while (tar.Next() is { } entry)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var path = Clean(entry.Name);
            if (path.Length > 0)
            {
                Take(tar, entry, path, places);
                bytes += entry.Size;
            }
        }

        while (input.Read(_buffer) > 0)
        {
            // What follows the end of the archive is its padding.
        }

        // Directories at the end: filling them changes their times, and a read-only one could not be filled.
        for (var i = _directories.Count - 1; i >= 0; i--)
        {
            Finish(_directories[i], places);
        }

        return new FileReply { Bytes = bytes };
    }

    /// <summary>A relative path without dots; empty for the directory itself.</summary>
    internal static string Clean(string name)
    {
        if (!name.Contains("//", StringComparison.Ordinal) && !name.StartsWith('/') && !name.Contains("./", StringComparison.Ordinal) && name is not ("." or "..")
            && !name.EndsWith("/.", StringComparison.Ordinal) && !name.EndsWith("/..", StringComparison.Ordinal) && !name.Contains('\0', StringComparison.Ordinal))
        {
            return name; // as nearly all are
        }

        var parts = name.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(static part => part != ".").ToArray();
        return parts.Contains("..") || name.Contains('\0', StringComparison.Ordinal)
            ? throw FileFailure.Invalid($"the archive has a name that leads outside: '{Names.Text(name)}'", "path_escape")
            : string.Join('/', parts);
    }

    private void Take(TarReader tar, TarEntry entry, string path, ArchivePlaces places)
    {
        var mode = request.KeepOwners ? entry.Mode : entry.Mode & SafeModeBits;
        if (entry.Type == TarEntryType.Directory)
        {
            places.Directory(path);
            _directories.Add((path, mode, entry));
            if (_directories.Count == MaxDirectoriesRemembered)
            {
                throw FileFailure.Invalid("the archive has more than a million directories");
            }

            return;
        }

        var slash = path.LastIndexOf('/');
        var directory = places.Directory(slash < 0 ? "" : path[..slash]);
        var name = path[(slash + 1)..];
        switch (entry.Type)
        {
            case TarEntryType.File:
                TakeFile(tar, entry, directory, name, mode);
                return;
            case TarEntryType.HardLink:
                TakeHardLink(entry, directory, name, places);
                return;
            case TarEntryType.SymbolicLink:
                Make(directory, name, entry.Name, () => At.Symlink(entry.Target, directory, name));
                break;
            case TarEntryType.Fifo:
                Make(directory, name, entry.Name, () => At.MakeNode(directory, name, (int)FileKind.Fifo | mode, 0, 0));
                break;
            default:
                var kind = entry.Type == TarEntryType.BlockDevice ? FileKind.BlockDevice : FileKind.CharacterDevice;
                Make(directory, name, entry.Name, () => At.MakeNode(directory, name, (int)kind | mode, entry.Device.Major, entry.Device.Minor));
                break;
        }

        if (request.KeepOwners)
        {
            Names.Check(At.Chown(directory, name, entry.Uid, entry.Gid), "change owner of", Names.Text(entry.Name));
        }

        _ = At.SetModified(directory, name, entry.ModifiedUnixNs);
    }

    private void TakeFile(TarReader tar, TarEntry entry, int directory, string name, int mode)
    {
        // With the final mode at once where the umask lets it through: one call less for each of a hundred thousand files.
        var direct = (mode & (Umask | ~0x1FF)) == 0 && !request.KeepOwners;
        var fd = -1;
        Make(directory, name, entry.Name, () => fd = At.Open(directory, name, At.WriteOnly | At.Create | At.Exclusive | At.NoFollow, direct ? mode : 0x180));
        try
        {
            Fill(tar, entry, fd);
            if (request.KeepOwners)
            {
                Names.Check(At.fchown(fd, entry.Uid, entry.Gid), "change owner of", Names.Text(entry.Name));
            }

            if (!direct)
            {
                Names.Check(At.fchmod(fd, mode), "change mode of", Names.Text(entry.Name));
            }

            SetAttributes(fd, entry);
            _ = At.SetModified(fd, entry.ModifiedUnixNs);
        }
        finally
        {
            _ = At.close(fd);
        }
    }

    /// <summary>Writes the content; long runs of zeros become holes.</summary>
    private void Fill(TarReader tar, TarEntry entry, int fd)
    {
        var mayBeSparse = entry.Size >= 4 * SparseBlock;
        var endsInHole = false;
        while (FillBuffer(tar) is var count and > 0)
        {
            for (var at = 0; at < count; at += SparseBlock)
            {
                var piece = mayBeSparse ? _buffer.AsSpan(at, Math.Min(SparseBlock, count - at)) : _buffer.AsSpan(0, count);
                endsInHole = mayBeSparse && piece.Length == SparseBlock && piece.IndexOfAnyExcept((byte)0) < 0;
                Names.Check(endsInHole ? At.lseek(fd, piece.Length, 1) : At.WriteAll(fd, piece) ? 0 : -1, "write", Names.Text(entry.Name));
                if (!mayBeSparse)
                {
                    break;
                }
            }
        }

        if (endsInHole)
        {
            Names.Check(At.ftruncate(fd, entry.Size), "write", Names.Text(entry.Name));
        }
    }

    private int FillBuffer(TarReader tar)
    {
        var filled = 0;
        while (filled < _buffer.Length && tar.Content(_buffer.AsSpan(filled)) is var count and > 0)
        {
            filled += count;
        }

        return filled;
    }

    private static void TakeHardLink(TarEntry entry, int directory, string name, ArchivePlaces places)
    {
        var target = Clean(entry.Target);
        var slash = target.LastIndexOf('/');
        using var from = places.OpenDirectory(slash < 0 ? "" : target[..slash], create: false);
        var fromFd = (int)from.DangerousGetHandle();
        Make(directory, name, entry.Name, () => At.Link(fromFd, target[(slash + 1)..], directory, name));
    }

    private void SetAttributes(int fd, TarEntry entry)
    {
        foreach (var (attribute, value) in entry.Attributes)
        {
            var isUsers = attribute.StartsWith("user.", StringComparison.Ordinal);
            if ((isUsers || request.KeepOwners) && At.SetAttribute(fd, attribute, value) != 0
                && Marshal.GetLastPInvokeError() is var error and not (Errno.EOPNOTSUPP or Errno.ENOSYS))
            {
                throw new LinuxException($"set attribute {attribute} of", Names.Text(entry.Name), error);
            }
        }
    }

    private void Finish((string Path, int Mode, TarEntry Entry) directory, ArchivePlaces places)
    {
        var fd = places.Directory(directory.Path);
        var text = Names.Text(directory.Path);
        if (request.KeepOwners)
        {
            Names.Check(At.fchown(fd, directory.Entry.Uid, directory.Entry.Gid), "change owner of", text);
        }

        // A directory that was there and is another's keeps its mode and time: a user may unpack into /tmp.
        if (At.fchmod(fd, directory.Mode) == 0)
        {
            SetAttributes(fd, directory.Entry);
            _ = At.SetModified(fd, directory.Entry.ModifiedUnixNs);
        }
    }

    /// <summary>Makes a name, in the place of whatever file has it now.</summary>
    private static void Make(int directory, string name, string path, Func<int> make)
    {
        if (make() >= 0)
        {
            return;
        }

        var error = Marshal.GetLastPInvokeError();
        if (error == Errno.EEXIST && At.Unlink(directory, name) == 0 && make() >= 0)
        {
            return;
        }

        throw new LinuxException("unpack", Names.Text(path), error == Errno.EEXIST ? Errno.EISDIR : error);
    }

    private static int ReadUmask()
    {
        var line = (PseudoFile.TryRead("/proc/self/status") ?? "").Split('\n').FirstOrDefault(static l => l.StartsWith("Umask:", StringComparison.Ordinal));
        return line is null ? 0x1FF : Convert.ToInt32(line[6..].Trim(), 8);
    }
}
