using System.Runtime.InteropServices;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Linux.Tar;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Copy;

/// <summary>
/// Unpacks a tar stream from a sandbox onto this machine. The stream is hostile: every name is walked one directory at a time from the target's descriptor
/// without following links, what exists is replaced rather than written through, devices are left out, and set-user-id bits are dropped unless
/// owners are kept on request.
/// </summary>
internal sealed class FolderUnpacker : IDisposable
{
    private const int MaxDepth = 256;
    private readonly int _root;
    private readonly bool _keepOwners;
    private readonly CopyCount _count;
    private readonly TextOut _messages;
    private readonly List<(string Path, int Mode, long ModifiedUnixNs)> _directories = [];
    private readonly byte[] _buffer = new byte[FileSession.ChunkBytes];
    private string _openPath = "";
    private int _openFd;

    public FolderUnpacker(string directory, bool keepOwners, CopyCount count, TextOut messages)
    {
        _root = Posix.open(directory, Posix.ODirectory | Posix.OCloexec, 0);
        if (_root < 0)
        {
            throw Failed("open", directory);
        }

        _openFd = _root;
        (_keepOwners, _count, _messages) = (keepOwners, count, messages);
    }

    /// <summary>Unpacks all of it; <paramref name="rename"/> maps names of the archive to names below the directory, null leaves an entry out.</summary>
    public void Unpack(TarReader tar, Func<string, string?> rename)
    {
        while (Next(tar) is { } entry)
        {
            if (Clean(TarText.FromBytes(entry.Name)) is { Length: > 0 } name && rename(name) is { } target)
            {
                Take(tar, entry, target, rename);
                _count.Entry();
            }
        }

        // Directories last: filling them changes their times, and a read-only one could not be filled.
        for (var i = _directories.Count - 1; i >= 0; i--)
        {
            var (path, mode, modified) = _directories[i];
            var fd = OpenDirectory(path, create: false);
            _ = At.fchmod(fd, mode);
            SetTime(fd, modified);
        }
    }

    public void Dispose()
    {
        CloseOpen();
        _ = Posix.close(_root);
    }

    /// <summary>A relative path without <c>.</c>; a name that leads upwards is refused.</summary>
    internal static string Clean(string name)
    {
        var parts = name.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(part => part != ".").ToArray();
        return parts.Contains("..") || parts.Length > MaxDepth || name.Contains('\0', StringComparison.Ordinal)
            ? throw new VivariumException(ErrorCode.InvalidArgument, $"the archive has a name that leads outside: {Style.Safe(name)}", reason: "path_escape")
            : string.Join('/', parts);
    }

    private static TarEntry? Next(TarReader tar)
    {
        try
        {
            return tar.Next();
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw Damaged(e);
        }
    }

    private int Content(TarReader tar)
    {
        try
        {
            return tar.Content(_buffer);
        }
        catch (EndOfStreamException e)
        {
            throw Damaged(e);
        }
    }

    private static VivariumException Damaged(Exception e) => new(ErrorCode.DataLoss, $"{e.Message}; what came before it has been unpacked", reason: "bad_archive", inner: e);

    private void Take(TarReader tar, TarEntry entry, string path, Func<string, string?> rename)
    {
        var mode = _keepOwners ? entry.Mode : entry.Mode & 0x1FF;
        if (entry.Type == TarEntryType.Directory)
        {
            var fd = OpenDirectory(path, create: true);
            Own(fd, entry);
            _directories.Add((path, mode, entry.ModifiedUnixNs));
            return;
        }

        var slash = path.LastIndexOf('/');
        var directory = OpenDirectory(slash < 0 ? "" : path[..slash], create: true);
        var name = path[(slash + 1)..];
        switch (entry.Type)
        {
            case TarEntryType.File:
                TakeFile(tar, entry, directory, name, mode, path);
                break;
            case TarEntryType.HardLink:
                TakeHardLink(entry, path, directory, name, rename);
                break;
            case TarEntryType.SymbolicLink:
                Make(directory, name, path, () => At.symlinkat(TarText.FromBytes(entry.Target), directory, name));
                SetTimeAt(directory, name, entry);
                break;
            case TarEntryType.Fifo:
                Make(directory, name, path, () => At.mkfifoat(directory, name, mode));
                SetTimeAt(directory, name, entry);
                break;
            default:
                _messages.Line($"viv: {Style.Safe(path)} is left out: a device cannot be copied").Flush();
                break;
        }
    }

    private void TakeFile(TarReader tar, TarEntry entry, int directory, string name, int mode, string path)
    {
        var fd = -1;
        Make(directory, name, path, () => fd = At.openat(directory, name, Posix.OWronly | Posix.OCreat | Posix.OExcl | Posix.ONofollow | Posix.OCloexec, 0x180));
        try
        {
            for (; ; )
            {
                var count = Content(tar);
                if (count == 0)
                {
                    break;
                }

                if (!Fd.WriteAll(fd, _buffer.AsSpan(0, count)))
                {
                    throw Failed("write", path);
                }

                _count.Content(count);
            }

            Own(fd, entry);
            _ = At.fchmod(fd, mode);
            SetTime(fd, entry.ModifiedUnixNs);
        }
        finally
        {
            _ = Posix.close(fd);
        }
    }

    /// <summary>A hard link's target is a name of this archive, found below the directory like any other.</summary>
    private void TakeHardLink(TarEntry entry, string path, int directory, string name, Func<string, string?> rename)
    {
        var target = rename(Clean(TarText.FromBytes(entry.Target))) ?? throw new VivariumException(ErrorCode.InvalidArgument, $"the archive links {Style.Safe(path)} to something outside it", reason: "path_escape");
        var slash = target.LastIndexOf('/');

        // The walk may close the descriptor of the link's own directory, so this one is opened by itself.
        var from = Walk(slash < 0 ? "" : target[..slash], create: false);
        try
        {
            Make(directory, name, path, () => At.linkat(from, target[(slash + 1)..], directory, name, 0));
        }
        finally
        {
            if (from != _root)
            {
                _ = Posix.close(from);
            }
        }
    }

    /// <summary>Makes a name, in the place of whatever has it now.</summary>
    private static void Make(int directory, string name, string path, Func<int> make)
    {
        if (make() >= 0)
        {
            return;
        }

        if (Marshal.GetLastPInvokeError() == At.EEXIST && (At.unlinkat(directory, name, 0) == 0 || At.unlinkat(directory, name, At.RemoveDir) == 0) && make() >= 0)
        {
            return;
        }

        throw Failed("create", path);
    }

    /// <summary>The descriptor of a directory below the target; the one used last stays open, since entries come folder by folder.</summary>
    private int OpenDirectory(string path, bool create)
    {
        if (path != _openPath)
        {
            var fd = Walk(path, create);
            CloseOpen();
            (_openPath, _openFd) = (path, fd);
        }

        return _openFd;
    }

    private int Walk(string path, bool create)
    {
        var at = _root;
        foreach (var part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            var next = At.openat(at, part, Posix.ODirectory | Posix.ONofollow | Posix.OCloexec, 0);
            if (next < 0 && create)
            {
                if (Marshal.GetLastPInvokeError() != At.ENOENT)
                {
                    _ = At.unlinkat(at, part, 0); // a file or link where the archive has a folder
                }

                next = At.mkdirat(at, part, 0x1C0) == 0 ? At.openat(at, part, Posix.ODirectory | Posix.ONofollow | Posix.OCloexec, 0) : -1;
            }

            var errno = Marshal.GetLastPInvokeError();
            if (at != _root)
            {
                _ = Posix.close(at);
            }

            if (next < 0)
            {
                Marshal.SetLastPInvokeError(errno);
                throw Failed("open", path);
            }

            at = next;
        }

        return at;
    }

    private void CloseOpen()
    {
        if (_openFd != _root)
        {
            _ = Posix.close(_openFd);
        }

        (_openPath, _openFd) = ("", _root);
    }

    private void Own(int fd, TarEntry entry)
    {
        if (_keepOwners)
        {
            _ = At.fchown(fd, entry.Uid, entry.Gid);
        }
    }

    private unsafe void SetTimeAt(int directory, string name, TarEntry entry)
    {
        if (_keepOwners)
        {
            _ = At.fchownat(directory, name, entry.Uid, entry.Gid, At.SymlinkNofollow);
        }

        var times = stackalloc long[4];
        Times(times, entry.ModifiedUnixNs);

        // SAFETY: two struct timespec on the stack.
        _ = At.utimensat(directory, name, times, At.SymlinkNofollow);
    }

    private static unsafe void SetTime(int fd, long unixNs)
    {
        var times = stackalloc long[4];
        Times(times, unixNs);

        // SAFETY: two struct timespec on the stack.
        _ = At.futimens(fd, times);
    }

    private static unsafe void Times(long* times, long unixNs)
    {
        var (seconds, nanoseconds) = Math.DivRem(unixNs, 1_000_000_000);

        // SAFETY: both callers pass four longs.
        (times[0], times[1]) = (0, At.UtimeOmit);
        (times[2], times[3]) = nanoseconds < 0 ? (seconds - 1, nanoseconds + 1_000_000_000) : (seconds, nanoseconds);
    }

    private static VivariumException Failed(string verb, string path) =>
        new(ErrorCode.FailedPrecondition, $"cannot {verb} {Style.Safe(path)}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
}
