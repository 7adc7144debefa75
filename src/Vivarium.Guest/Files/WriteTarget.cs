using Microsoft.Win32.SafeHandles;
using Vivarium.Guest.Exec;
using Vivarium.Linux;
using Vivarium.Linux.Files;

namespace Vivarium.Guest.Files;

/// <summary>
/// Where written content goes until it is whole: a temporary file beside the target, renamed over it at the end. What cannot be replaced so (a device, a pipe,
/// a file in a directory the user may not write to) is written in place. Every method runs as the user.
/// </summary>
internal sealed class WriteTarget
{
    private readonly string _path;
    private readonly string? _temporary;
    private readonly FileStatus? _before;
    private bool _done;

    private WriteTarget(string path, string? temporary, FileStatus? before, SafeFileHandle file)
    {
        (_path, _temporary, _before, File) = (path, temporary, before, file);
    }

    /// <summary>Takes the content.</summary>
    public SafeFileHandle File { get; }

    public static WriteTarget Open(string path, bool noFollow, bool parents)
    {
        if (parents)
        {
            GuestPath.MakeDirectories(GuestPath.Split(path).Directory);
        }

        var target = noFollow ? path : GuestPath.FollowLast(path);
        var before = FileStatus.Find(target, follow: false);
        if (before is { Kind: FileKind.Directory })
        {
            throw new LinuxException("write", path, Errno.EISDIR);
        }

        if (before is { Kind: not (FileKind.Regular or FileKind.SymbolicLink) })
        {
            return new WriteTarget(target, null, before, InPlace(target, At.NonBlocking));
        }

        var (directory, name) = GuestPath.Split(target);
        var temporary = GuestPath.Join(directory, $".{(name.Length > 100 ? name[..100] : name)}.{Guid.NewGuid():N}");
        var fd = At.Open(At.Cwd, Names.Of(temporary), At.WriteOnly | At.Create | At.Exclusive | At.NoFollow, 0x180);
        if (fd < 0 && System.Runtime.InteropServices.Marshal.GetLastPInvokeError() is Errno.EACCES or Errno.EPERM && before is not null)
        {
            return new WriteTarget(target, null, before, InPlace(target, At.Truncate));
        }

        return new WriteTarget(target, temporary, before, new SafeFileHandle(Names.Check(fd, "write", target), ownsHandle: true));
    }

    /// <summary>Sets owner and mode (those given, else those of the file before) and makes the content visible.</summary>
    public bool Commit(int? mode, int defaultMode, UserIdentity? owner)
    {
        var fd = (int)File.DangerousGetHandle();
        if (owner is not null)
        {
            Names.Check(At.fchown(fd, owner.Uid, owner.Gid), "change owner of", _path);
        }
        else if (_temporary is not null && _before is { Kind: FileKind.Regular } before)
        {
            _ = At.fchown(fd, before.Uid, before.Gid); // only root can; for others the file becomes theirs
        }

        if (mode is not null || _temporary is not null)
        {
            Names.Check(At.fchmod(fd, mode ?? (_before is { Kind: FileKind.Regular } old ? old.Mode : defaultMode)), "change mode of", _path);
        }

        if (_temporary is not null)
        {
            FileChanges.Rename(_temporary, _path);
        }

        _done = true;
        return true;
    }

    /// <summary>Closes, and removes what was not made visible.</summary>
    public bool Discard()
    {
        File.Dispose();
        if (!_done && _temporary is not null)
        {
            _ = At.Unlink(At.Cwd, Names.Of(_temporary));
        }

        return _done;
    }

    private static SafeFileHandle InPlace(string path, int flags) =>
        new(Names.Check(At.Open(At.Cwd, Names.Of(path), At.WriteOnly | flags), "write", path), ownsHandle: true);
}
