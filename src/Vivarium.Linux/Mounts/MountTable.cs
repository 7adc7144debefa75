using System.Globalization;
using System.Text;

namespace Vivarium.Linux.Mounts;

/// <summary>One mount. Source: /proc/pid/mountinfo in proc(5).</summary>
/// <param name="Id">Unique while it lives.</param>
/// <param name="ParentId">Mount it is on.</param>
/// <param name="Device"><c>major:minor</c>.</param>
/// <param name="Root">Which directory of the file system is mounted.</param>
/// <param name="MountPoint">Where.</param>
/// <param name="Options">Options of the mount, comma-separated.</param>
/// <param name="FileSystem">Kind, for example <c>ext4</c>.</param>
/// <param name="Source">Device or word.</param>
/// <param name="SuperOptions">Options of the file system.</param>
public sealed record MountEntry(
    int Id, int ParentId, string Device, string Root, string MountPoint, string Options, string FileSystem, string Source, string SuperOptions);

/// <summary>The mounts a process sees.</summary>
public static class MountTable
{
    /// <summary>Reads the table; of our own mount namespace unless told otherwise.</summary>
    public static IReadOnlyList<MountEntry> Read(int? pid = null) =>
        [.. File.ReadLines(pid is { } p ? string.Create(CultureInfo.InvariantCulture, $"/proc/{p}/mountinfo") : "/proc/self/mountinfo").Select(Parse)];

    /// <summary>Whether something is mounted exactly there (a clean absolute path).</summary>
    public static bool IsMountPoint(string path) => Find(path) is not null;

    /// <summary>The topmost mount exactly there.</summary>
    public static MountEntry? Find(string path) => Read().LastOrDefault(m => m.MountPoint == path);

    /// <summary>Mounts at and below a path, the deepest and latest first: the order in which to end them.</summary>
    public static IReadOnlyList<MountEntry> AtAndBelow(string path)
    {
        var prefix = path.TrimEnd('/') + "/";
        var found = Read().Where(m => m.MountPoint == path || m.MountPoint.StartsWith(prefix, StringComparison.Ordinal)).ToList();
        found.Reverse();
        return found;
    }

    /// <summary>Ends all mounts at and below a path, lazily where they are in use; returns how many there were.</summary>
    public static int UnmountAll(string path)
    {
        var mounts = AtAndBelow(path);
        foreach (var mount in mounts)
        {
            Mount.Unmount(mount.MountPoint, lazy: true);
        }

        return mounts.Count;
    }

    internal static MountEntry Parse(string line)
    {
        // 36 35 98:0 /root /mnt rw,noatime master:1 … - ext4 /dev/sda rw : any number of optional fields before the lone hyphen.
        var fields = line.Split(' ');
        var hyphen = Array.IndexOf(fields, "-", 6);
        return new MountEntry(
            int.Parse(fields[0], CultureInfo.InvariantCulture),
            int.Parse(fields[1], CultureInfo.InvariantCulture),
            fields[2],
            Unescape(fields[3]),
            Unescape(fields[4]),
            fields[5],
            fields[hyphen + 1],
            Unescape(fields[hyphen + 2]),
            hyphen + 3 < fields.Length ? fields[hyphen + 3] : "");
    }

    // Space, tab, newline and backslash stand as \ooo.
    private static string Unescape(string text)
    {
        if (!text.Contains('\\'))
        {
            return text;
        }

        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 3 < text.Length)
            {
                result.Append((char)(((text[i + 1] - '0') * 64) + ((text[i + 2] - '0') * 8) + (text[i + 3] - '0')));
                i += 3;
            }
            else
            {
                result.Append(text[i]);
            }
        }

        return result.ToString();
    }
}
