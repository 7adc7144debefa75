using System.Globalization;

namespace Vivarium.Linux.Users;

/// <summary>
/// Users and groups of a root directory, read from its <c>etc/passwd</c> and <c>etc/group</c>: a static program has no name service, and the
/// host's would be the wrong one. Sources: passwd(5), group(5).
/// </summary>
public sealed class UserDatabase
{
    private readonly List<UserEntry> users;
    private readonly List<GroupEntry> groups;

    private UserDatabase(List<UserEntry> users, List<GroupEntry> groups)
    {
        this.users = users;
        this.groups = groups;
    }

    /// <summary>All users, in file order.</summary>
    public IReadOnlyList<UserEntry> Users => users;

    /// <summary>All groups, in file order.</summary>
    public IReadOnlyList<GroupEntry> Groups => groups;

    /// <summary>Reads the files; a missing file is an empty one, a line that makes no sense is skipped.</summary>
    public static UserDatabase Load(string root = "/") => Parse(Text(root, "etc/passwd"), Text(root, "etc/group"));

    /// <summary>The user of a number.</summary>
    public UserEntry? FindUser(uint uid) => users.Find(u => u.Uid == uid);

    /// <summary>The user of a name.</summary>
    public UserEntry? FindUser(string name) => users.Find(u => u.Name == name);

    /// <summary>The group of a number.</summary>
    public GroupEntry? FindGroup(uint gid) => groups.Find(g => g.Gid == gid);

    /// <summary>The group of a name.</summary>
    public GroupEntry? FindGroup(string name) => groups.Find(g => g.Name == name);

    /// <summary>
    /// Resolves <c>name</c>, <c>uid</c>, <c>name:group</c> or <c>uid:gid</c> to what a process needs; null when a name is unknown. A number needs no
    /// entry: it gets group 0 unless one is given, home <c>/</c> and <c>/bin/sh</c>.
    /// </summary>
    public UserIdentity? Resolve(string specification)
    {
        var colon = specification.IndexOf(':');
        var userPart = colon < 0 ? specification : specification[..colon];
        var user = FindUser(userPart);
        if (user is null)
        {
            if (!TryNumber(userPart, out var uid))
            {
                return null;
            }

            user = FindUser(uid) ?? new UserEntry(uid.ToString(CultureInfo.InvariantCulture), uid, 0, "/", "/bin/sh");
        }

        var gid = user.Gid;
        if (colon >= 0)
        {
            var groupPart = specification[(colon + 1)..];
            if (FindGroup(groupPart) is { } group)
            {
                gid = group.Gid;
            }
            else if (!TryNumber(groupPart, out gid))
            {
                return null;
            }
        }

        var supplementary = groups.Where(g => g.Members.Contains(user.Name)).Select(g => g.Gid).Where(g => g != gid).Distinct().ToArray();
        return new UserIdentity(user.Name, user.Uid, gid, supplementary, user.Home.Length == 0 ? "/" : user.Home, user.Shell.Length == 0 ? "/bin/sh" : user.Shell);
    }

    internal static UserDatabase Parse(string passwd, string group)
    {
        List<UserEntry> users = [];
        foreach (var line in passwd.Split('\n'))
        {
            var f = line.Split(':');
            if (f.Length >= 7 && f[0].Length > 0 && TryNumber(f[2], out var uid) && TryNumber(f[3], out var gid))
            {
                users.Add(new UserEntry(f[0], uid, gid, f[5], f[6].TrimEnd('\r')));
            }
        }

        List<GroupEntry> groups = [];
        foreach (var line in group.Split('\n'))
        {
            var f = line.Split(':');
            if (f.Length >= 4 && f[0].Length > 0 && TryNumber(f[2], out var gid))
            {
                groups.Add(new GroupEntry(f[0], gid, f[3].TrimEnd('\r').Split(',', StringSplitOptions.RemoveEmptyEntries)));
            }
        }

        return new UserDatabase(users, groups);
    }

    private static bool TryNumber(string text, out uint number) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number != uint.MaxValue;

    private static string Text(string root, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(root, file));
        }
        catch (IOException)
        {
            return "";
        }
        catch (UnauthorizedAccessException)
        {
            return "";
        }
    }
}

/// <summary>A line of passwd(5).</summary>
public sealed record UserEntry(string Name, uint Uid, uint Gid, string Home, string Shell);

/// <summary>A line of group(5).</summary>
public sealed record GroupEntry(string Name, uint Gid, IReadOnlyList<string> Members);

/// <summary>What a process needs to be somebody.</summary>
/// <param name="Name">User name, or the number as text.</param>
/// <param name="Uid">User id.</param>
/// <param name="Gid">Primary group.</param>
/// <param name="Groups">Supplementary groups, the primary not among them.</param>
/// <param name="Home">Home directory.</param>
/// <param name="Shell">Login shell.</param>
public sealed record UserIdentity(string Name, uint Uid, uint Gid, IReadOnlyList<uint> Groups, string Home, string Shell);
