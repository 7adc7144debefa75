using System.Text.Json;
using Vivarium.Wire.Host;

namespace Vivarium.Host.State;

/// <summary>
/// Rows of events. Sequence numbers are handed out in memory and reserved on disk in blocks, so that no number is ever used twice although events
/// themselves are written lazily: after a crash the numbers go on behind the reserved block.
/// </summary>
internal sealed class EventTable(StateDatabase database)
{
    /// <summary>Numbers reserved at a time.</summary>
    public const int Block = 1000;

    private const string ReservedKey = "event.reserved";

    /// <summary>The newest events, oldest first, and the first number nobody can have seen.</summary>
    public (IReadOnlyList<HostEvent> Events, long Next) Load(int count) => database.Read(c =>
    {
        var events = new List<HostEvent>();
        using var command = c.CreateCommand();
        command.CommandText = "SELECT body FROM (SELECT sequence, body FROM event ORDER BY sequence DESC LIMIT $count) ORDER BY sequence";
        command.Parameters.AddWithValue("$count", count);
        using (var reader = command.ExecuteReader())
        {
            while (reader.Read())
            {
                if (TryParse(reader.GetString(0)) is { } e)
                {
                    events.Add(e);
                }
            }
        }

        using var reserved = c.CreateCommand();
        reserved.CommandText = "SELECT value FROM setting WHERE key = $key";
        reserved.Parameters.AddWithValue("$key", ReservedKey);
        var next = reserved.ExecuteScalar() is string text && long.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var n) ? n : 1;
        return ((IReadOnlyList<HostEvent>)events, next);
    });

    /// <summary>Says on disk that numbers below <paramref name="end"/> may be in use.</summary>
    public void Reserve(long end) => database.WriteLazily(c =>
    {
        using var command = c.CreateCommand();
        command.CommandText = "INSERT INTO setting(key, value) VALUES ($key, $value) ON CONFLICT(key) DO UPDATE SET value = excluded.value";
        command.Parameters.AddWithValue("$key", ReservedKey);
        command.Parameters.AddWithValue("$value", end.ToString(System.Globalization.CultureInfo.InvariantCulture));
        command.ExecuteNonQuery();
    });

    /// <summary>Stores an event soon and forgets those that are too old.</summary>
    public void Append(HostEvent e, int keep)
    {
        var body = JsonSerializer.Serialize(e, HostJson.Default.HostEvent);
        database.WriteLazily(c =>
        {
            using var command = c.CreateCommand();
            command.CommandText = "INSERT OR REPLACE INTO event(sequence, body) VALUES ($sequence, $body)";
            command.Parameters.AddWithValue("$sequence", e.Sequence);
            command.Parameters.AddWithValue("$body", body);
            command.ExecuteNonQuery();
            if (e.Sequence % 256 == 0)
            {
                using var prune = c.CreateCommand();
                prune.CommandText = "DELETE FROM event WHERE sequence <= $oldest";
                prune.Parameters.AddWithValue("$oldest", e.Sequence - keep);
                prune.ExecuteNonQuery();
            }
        });
    }

    private static HostEvent? TryParse(string body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, HostJson.Default.HostEvent);
        }
        catch (JsonException)
        {
            // An event is history only; a damaged one is skipped.
            return null;
        }
    }
}
