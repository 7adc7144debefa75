using Vivarium.Linux.Files;
using Vivarium.Linux.Users;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Files;

/// <summary>Describes files as the protocol does, with the names of their owners.</summary>
internal sealed class EntryReader
{
    private readonly Dictionary<uint, string> _users = [];
    private readonly Dictionary<uint, string> _groups = [];

    public EntryReader()
    {
        var database = UserDatabase.Load();
        foreach (var user in database.Users)
        {
            _users.TryAdd(user.Uid, user.Name);
        }

        foreach (var group in database.Groups)
        {
            _groups.TryAdd(group.Gid, group.Name);
        }
    }

    /// <summary>What is at a path.</summary>
    public FileEntry Of(string path, bool follow) => Describe(path, FileStatus.Of(path, follow));

    /// <summary>What is at a path, not following; null when it has gone or may not be seen.</summary>
    public FileEntry? Find(string path) => FileStatus.TryGet(path, follow: false, out var status) == 0 ? Describe(path, status) : null;

    private FileEntry Describe(string path, FileStatus status) => new()
    {
        Name = GuestPath.Split(path).Name,
        Path = path,
        Type = status.Kind switch
        {
            FileKind.Regular => "file",
            FileKind.Directory => "dir",
            FileKind.SymbolicLink => "symlink",
            FileKind.Fifo => "fifo",
            FileKind.Socket => "socket",
            FileKind.CharacterDevice => "char",
            _ => "block",
        },
        Size = status.Size,
        Mode = status.Mode,
        Uid = (int)status.Uid,
        Gid = (int)status.Gid,
        User = _users.GetValueOrDefault(status.Uid),
        Group = _groups.GetValueOrDefault(status.Gid),
        ModifiedUnixNs = status.ModifiedUnixNs,
        Target = status.Kind == FileKind.SymbolicLink && At.ReadLink(At.Cwd, Names.Of(path)) is { } target ? Names.Text(target) : null,
    };
}
