using Vivarium.Guest.Exec;
using Vivarium.Linux;
using Vivarium.Linux.Files;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Files;

/// <summary>The operations that are a few system calls: they run as the user, on the calling thread.</summary>
internal sealed class SimpleOperations(UserLookup users, FileRequest request, string path, string home)
{
    public FileReply Stat() => new() { Entry = new EntryReader().Of(path, follow: !request.NoFollow) };

    public FileReply MakeDirectory()
    {
        if (request.Parents)
        {
            GuestPath.MakeDirectories(GuestPath.Split(path).Directory);
        }

        var made = Names.Check(At.MakeDirectory(At.Cwd, Names.Of(path), 0x1ED), "mkdir", path, request.Parents ? Errno.EEXIST : 0) == 0;
        var entry = new EntryReader().Of(path, follow: true);
        if (entry.Type != "dir")
        {
            throw new LinuxException("mkdir", path, Errno.EEXIST);
        }

        if (made && request.Mode is { } mode)
        {
            FileChanges.Chmod(path, Mode(mode));
        }

        if (made && request.Owner is not null)
        {
            Own();
        }

        return Stat();
    }

    public FileReply Move()
    {
        var to = GuestPath.Resolve(request.To ?? throw FileFailure.Invalid("move needs a target"), home);
        if (request.Parents)
        {
            GuestPath.MakeDirectories(GuestPath.Split(to).Directory);
        }

        try
        {
            Rename(to);
        }
        catch (LinuxException e) when (e.Errno == Errno.EXDEV)
        {
            throw new Wire.Errors.VivariumException(
                Wire.Errors.ErrorCode.FailedPrecondition, $"move '{path}' to '{to}': they are on different file systems", "Copy it and remove the original.", reason: "exdev");
        }

        return new FileReply { Entry = new EntryReader().Of(to, follow: false) };
    }

    public FileReply Remove(CancellationToken cancellationToken)
    {
        if (path == "/")
        {
            throw FileFailure.Invalid("the root directory cannot be removed");
        }

        if (request.Recursive)
        {
            return Linux.Trees.TreeRemoval.Remove(path, cancellationToken) ? new FileReply() : throw new LinuxException("remove", path, Errno.ENOENT);
        }

        var isDirectory = FileStatus.Of(path, follow: false).Kind == FileKind.Directory;
        Names.Check(At.Unlink(At.Cwd, Names.Of(path), isDirectory ? At.RemoveDirectory : 0), "remove", path);
        return new FileReply();
    }

    public FileReply ChangeMode()
    {
        FileChanges.Chmod(path, Mode(request.Mode ?? throw FileFailure.Invalid("chmod needs a mode")));
        return Stat();
    }

    public FileReply ChangeOwner()
    {
        Own();
        return Stat();
    }

    public FileReply Symlink()
    {
        var target = request.To is { Length: > 0 } text ? text : throw FileFailure.Invalid("symlink needs a target");
        if (request.Parents)
        {
            GuestPath.MakeDirectories(GuestPath.Split(path).Directory);
        }

        Names.Check(At.Symlink(Names.Of(target), At.Cwd, Names.Of(path)), "symlink", path);
        return new FileReply { Entry = new EntryReader().Of(path, follow: false) };
    }

    public FileReply GetAttribute() => new()
    {
        Value = Convert.ToBase64String(Xattrs.Get(path, AttributeName()) ?? throw new LinuxException("getxattr", path, Errno.ENODATA)),
    };

    public FileReply SetAttribute()
    {
        byte[] value;
        try
        {
            value = Convert.FromBase64String(request.Value ?? "");
        }
        catch (FormatException)
        {
            throw FileFailure.Invalid("the attribute's value is not base64");
        }

        Xattrs.Set(path, AttributeName(), value);
        return new FileReply();
    }

    public FileReply ListAttributes() => new() { Value = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(string.Join('\n', Xattrs.List(path)))) };

    /// <summary>Checks permission bits that came over the wire.</summary>
    internal static int Mode(int mode) => mode is >= 0 and <= 0xFFF ? mode : throw FileFailure.Invalid($"{mode} is no file mode; give the bits up to 07777 as a decimal number");

    private void Rename(string to)
    {
        if (request.Replace)
        {
            FileChanges.Rename(path, to);
            return;
        }

        try
        {
            FileChanges.RenameNew(path, to);
        }
        catch (LinuxException e) when (e.Errno is Errno.EINVAL or Errno.ENOSYS)
        {
            // gVisor and some file systems cannot refuse by themselves.
            if (FileStatus.Find(to, follow: false) is not null)
            {
                throw new LinuxException("move", to, Errno.EEXIST);
            }

            FileChanges.Rename(path, to);
        }
    }

    private void Own()
    {
        var owner = users.Resolve(request.Owner is { Length: > 0 } text ? text : throw FileFailure.Invalid("chown needs an owner"));
        var target = request.NoFollow ? path : GuestPath.FollowLast(path);
        FileChanges.Chown(target, owner.Uid, owner.Gid);
    }

    private string AttributeName() => request.Name is { Length: > 0 and <= 255 } name ? name : throw FileFailure.Invalid("the attribute needs a name");
}
