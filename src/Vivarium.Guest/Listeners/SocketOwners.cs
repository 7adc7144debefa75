using System.Globalization;
using Vivarium.Guest.Exec;
using Vivarium.Guest.Files;

namespace Vivarium.Guest.Listeners;

/// <summary>Which process holds which socket: the links in <c>/proc/PID/fd</c>. Source: proc(5).</summary>
internal static class SocketOwners
{
    private const int MostProcesses = 8192;
    private const int MostUsers = 64;
    private const string Mark = "socket:[";

    /// <summary>Processes by socket number; those nobody was found for are left out. Of several holders the first process counts.</summary>
    public static async Task<Dictionary<ulong, SocketOwner>> FindAsync(IEnumerable<ulong> inodes)
    {
        var wanted = inodes.Where(static inode => inode != 0).ToHashSet();
        var found = new Dictionary<ulong, SocketOwner>();
        if (wanted.Count == 0)
        {
            return found;
        }

        // Without the right to trace, the descriptors of a process are shown to its own user only: so each user's are looked at as that user.
        foreach (var group in Processes().GroupBy(static process => (process.Uid, process.Gid)).Take(MostUsers))
        {
            var name = group.Key.Uid.ToString(CultureInfo.InvariantCulture);
            var pids = group.Select(static process => process.Pid).Order().ToArray();
            try
            {
                await ActingUser.RunAsync(new UserIdentity(name, group.Key.Uid, group.Key.Gid, [], "/", ""), () => Look(pids, wanted, found));
            }
            catch (Exception e) when (e is IOException or Linux.LinuxException)
            {
                // That user cannot be acted as; its sockets stay without a process.
            }

            if (found.Count == wanted.Count)
            {
                break;
            }
        }

        return found;
    }

    private static bool Look(int[] pids, HashSet<ulong> wanted, Dictionary<ulong, SocketOwner> found)
    {
        foreach (var pid in pids)
        {
            try
            {
                foreach (var descriptor in Directory.EnumerateFiles($"/proc/{pid}/fd"))
                {
                    if (File.ResolveLinkTarget(descriptor, returnFinalTarget: false) is { } target && Inode(target.FullName) is { } inode && wanted.Contains(inode))
                    {
                        found.TryAdd(inode, new SocketOwner(pid, Name(pid)));
                    }
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It has ended, or does not let itself be looked at.
            }
        }

        return true;
    }

    private static ulong? Inode(string target)
    {
        var at = target.IndexOf(Mark, StringComparison.Ordinal);
        return at >= 0 && target.EndsWith(']') && ulong.TryParse(target.AsSpan(at + Mark.Length, target.Length - at - Mark.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var inode)
            ? inode
            : null;
    }

    private static string? Name(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/comm").TrimEnd('\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static List<(int Pid, uint Uid, uint Gid)> Processes()
    {
        var processes = new List<(int, uint, uint)>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(directory.AsSpan("/proc/".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && Ids(pid) is { } ids)
            {
                processes.Add((pid, ids.Uid, ids.Gid));
                if (processes.Count == MostProcesses)
                {
                    break;
                }
            }
        }

        return processes;
    }

    /// <summary>The effective ids: what the kernel compares.</summary>
    private static (uint Uid, uint Gid)? Ids(int pid)
    {
        try
        {
            uint? uid = null, gid = null;
            foreach (var line in File.ReadLines($"/proc/{pid}/status"))
            {
                uid ??= Effective(line, "Uid:");
                gid ??= Effective(line, "Gid:");
            }

            return uid is { } u && gid is { } g ? (u, g) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static uint? Effective(string line, string key) =>
        line.StartsWith(key, StringComparison.Ordinal)
        && line[key.Length..].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is { Length: >= 2 } ids
        && uint.TryParse(ids[1], NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            ? id
            : null;
}

/// <summary>A process that holds a socket.</summary>
internal sealed record SocketOwner(int Pid, string? Name);
