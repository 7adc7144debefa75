using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Listeners;

/// <summary>What listens in the sandbox, with the process behind each socket as far as it can be seen.</summary>
internal static class ListenerReport
{
    private static readonly (string Protocol, string Path)[] Tables =
        [("tcp", "/proc/net/tcp"), ("tcp", "/proc/net/tcp6"), ("udp", "/proc/net/udp"), ("udp", "/proc/net/udp6")];

    /// <summary>Reads all tables.</summary>
    public static async Task<ListenersPayload> ReadAsync()
    {
        var rows = new List<SocketRow>();
        var missing = new List<string>();
        foreach (var (protocol, path) in Tables)
        {
            Read(protocol, path, rows, missing);
        }

        if (rows.Count > ListenersPayload.Most)
        {
            missing.Add($"{rows.Count - ListenersPayload.Most} more listeners are not shown");
            rows = rows[..ListenersPayload.Most];
        }

        var owners = await SocketOwners.FindAsync(rows.Select(static row => row.Inode));
        var nameless = rows.Count(row => !owners.ContainsKey(row.Inode));
        if (nameless > 0)
        {
            missing.Add($"no process was found for {nameless} of {rows.Count} listeners");
        }

        return new ListenersPayload
        {
            Listeners =
            [
                .. rows.OrderBy(static row => row.Protocol, StringComparer.Ordinal).ThenBy(static row => row.EndPoint.Port).Select(row =>
                {
                    var owner = owners.GetValueOrDefault(row.Inode);
                    return new GuestListener
                    {
                        Protocol = row.Protocol,
                        Address = row.EndPoint.Address.ToString(),
                        Port = row.EndPoint.Port,
                        Uid = row.Uid,
                        Pid = owner?.Pid,
                        Process = owner?.Name,
                    };
                }),
            ],
            Missing = missing.Count == 0 ? null : string.Join("; ", missing),
        };
    }

    private static void Read(string protocol, string path, List<SocketRow> rows, List<string> missing)
    {
        try
        {
            foreach (var line in File.ReadLines(path))
            {
                if (SocketRow.Parse(protocol, line) is { } row)
                {
                    rows.Add(row);
                }
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // A kernel without that protocol has no such table; one that has it and does not show it would be hiding listeners, so it is said either way.
            missing.Add($"this kernel shows no {path}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            missing.Add($"{path} could not be read");
        }
    }
}
