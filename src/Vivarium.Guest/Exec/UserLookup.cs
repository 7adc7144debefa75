using System.Globalization;
using Vivarium.Wire.Errors;

namespace Vivarium.Guest.Exec;

/// <summary>
/// Users and groups from <c>/etc/passwd</c> and <c>/etc/group</c>, read by ourselves: a static program has no name service switch. Lines that
/// are not what passwd(5) and group(5) say are passed over.
/// </summary>
internal sealed class UserLookup(string root)
{
    private const int MaxFileBytes = 4 * 1024 * 1024;
    private const int MaxRemembered = 64;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, UserIdentity> _remembered = [];
    private (DateTime, DateTime) _asOf;

    /// <summary>Finds who <c>name</c>, <c>uid</c>, <c>name:group</c> or <c>uid:gid</c> is. Read again whenever one of the files has changed.</summary>
    public UserIdentity Resolve(string spec)
    {
        var asOf = (File.GetLastWriteTimeUtc(Path.Combine(root, "etc/passwd")), File.GetLastWriteTimeUtc(Path.Combine(root, "etc/group")));
        lock (_gate)
        {
            if (_asOf == asOf && _remembered.TryGetValue(spec, out var known))
            {
                return known;
            }
        }

        var found = Find(spec);
        lock (_gate)
        {
            if (_asOf != asOf || _remembered.Count >= MaxRemembered)
            {
                _remembered.Clear();
            }

            _asOf = asOf;
            _remembered[spec] = found;
        }

        return found;
    }

    private UserIdentity Find(string spec)
    {
        var colon = spec.IndexOf(':', StringComparison.Ordinal);
        var userPart = colon < 0 ? spec : spec[..colon];
        var groupPart = colon < 0 ? null : spec[(colon + 1)..];
        var entry = Rows("etc/passwd", 7).FirstOrDefault(row => row[0] == userPart);
        var byNumber = IsId(userPart, out var uid);
        if (entry is null && byNumber)
        {
            entry = Rows("etc/passwd", 7).FirstOrDefault(row => IsId(row[2], out var id) && id == uid);
        }

        if (entry is null && userPart == "root")
        {
            (uid, byNumber) = (0, true);
        }

        if (entry is null)
        {
            return byNumber
                ? Unnamed(userPart, uid, groupPart)
                : throw new VivariumException(
                    ErrorCode.NotFound, $"there is no user '{userPart}' in the sandbox", "Name one of /etc/passwd, or a number.", reason: "no_such_user");
        }

        if (!IsId(entry[2], out uid) || !IsId(entry[3], out var gid))
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"the line of user '{userPart}' in /etc/passwd is malformed", reason: "no_such_user");
        }

        gid = groupPart is null ? gid : ResolveGroup(groupPart);
        var home = entry[5].StartsWith('/') ? entry[5] : "/";
        var shell = entry[6].StartsWith('/') ? entry[6] : "/bin/sh";
        return new UserIdentity(entry[0], uid, gid, groupPart is null ? GroupsOf(entry[0], gid) : [gid], home, shell);
    }

    /// <summary>The id of a group given by name or number.</summary>
    public uint ResolveGroup(string group)
    {
        foreach (var row in Rows("etc/group", 3))
        {
            if (row[0] == group && IsId(row[2], out var gid))
            {
                return gid;
            }
        }

        return IsId(group, out var number)
            ? number
            : throw new VivariumException(
                ErrorCode.NotFound, $"there is no group '{group}' in the sandbox", "Name one of /etc/group, or a number.", reason: "no_such_user");
    }

    private UserIdentity Unnamed(string name, uint uid, string? group)
    {
        var gid = group is null ? uid == 0 ? 0 : uid : ResolveGroup(group);
        return new UserIdentity(name, uid, gid, [gid], uid == 0 && Directory.Exists(Path.Combine(root, "root")) ? "/root" : "/", "/bin/sh");
    }

    private List<uint> GroupsOf(string name, uint gid)
    {
        var groups = new List<uint> { gid };
        foreach (var row in Rows("etc/group", 4))
        {
            if (IsId(row[2], out var id) && id != gid && row[3].Split(',').Contains(name))
            {
                groups.Add(id);
            }
        }

        return groups;
    }

    private IEnumerable<string[]> Rows(string file, int fields)
    {
        var path = Path.Combine(root, file);
        var info = new FileInfo(path);
        if (!info.Exists || info.Length > MaxFileBytes)
        {
            yield break;
        }

        foreach (var line in File.ReadLines(path))
        {
            var row = line.Split(':');
            if (row.Length >= fields && row[0].Length > 0)
            {
                yield return row;
            }
        }
    }

    // uint.MaxValue means "unchanged" to setresuid(2) and is nobody's id.
    private static bool IsId(string text, out uint id) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id) && id != uint.MaxValue;
}
