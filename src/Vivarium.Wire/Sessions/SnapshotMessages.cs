using System.Text.Json.Serialization;

namespace Vivarium.Wire.Sessions;

/// <summary>Parameters of TurnComplete.</summary>
public sealed record TurnCompleteRequest
{
    /// <summary>The session.</summary>
    [JsonPropertyName("SessionID")]
    public string? SessionId { get; init; }

    /// <summary>What the turn is called, up to 256 characters.</summary>
    public string? Label { get; init; }

    /// <summary>What there is to say of it, up to 4096 characters.</summary>
    public string? Message { get; init; }
}

/// <summary>Parameters of CreateSnapshot.</summary>
public sealed record CreateSnapshotRequest
{
    /// <summary>The session.</summary>
    [JsonPropertyName("SessionID")]
    public string? SessionId { get; init; }

    /// <summary>Name, unique in the session: 1 to 63 of letters, digits, '.', '_', '-'; not <c>turn-…</c>, <c>tool-…</c>, <c>pause-…</c>. Default two words.</summary>
    public string? Name { get; init; }

    /// <summary>A sentence.</summary>
    public string? Message { get; init; }

    /// <summary>Keep it until it is let go, also when the session is destroyed.</summary>
    public bool? Hold { get; init; }
}

/// <summary>Answer of TurnComplete and CreateSnapshot.</summary>
public sealed record SnapshotResponse
{
    /// <summary>Name of the snapshot, which RollbackSession takes.</summary>
    [JsonPropertyName("SnapshotID")]
    public required string SnapshotId { get; init; }

    /// <summary>Number of the turn, from 1 and never used twice; 0 for a snapshot that closes none.</summary>
    public int TurnNumber { get; init; }

    /// <summary>Bytes of data written since the point before.</summary>
    public long SpaceUsed { get; init; }

    /// <summary>The snapshot.</summary>
    public SessionSnapshot? Snapshot { get; init; }
}

/// <summary>Parameters of RollbackSession.</summary>
public sealed record RollbackSessionRequest
{
    /// <summary>The session.</summary>
    [JsonPropertyName("SessionID")]
    public string? SessionId { get; init; }

    /// <summary>Name (or opaque id) of the snapshot.</summary>
    [JsonPropertyName("SnapshotID")]
    public string? SnapshotId { get; init; }

    /// <summary>Remove the snapshots that come after it, except held ones; default: they stay, as a branch.</summary>
    public bool? DiscardLater { get; init; }

    /// <summary>Also while tools run: they end with the rollback.</summary>
    public bool? Force { get; init; }
}

/// <summary>Parameters of ListSnapshots.</summary>
public sealed record ListSnapshotsRequest
{
    /// <summary>The session.</summary>
    [JsonPropertyName("SessionID")]
    public string? SessionId { get; init; }

    /// <summary>Only this kind: <c>turn, tool, named, pause</c>.</summary>
    public string? Kind { get; init; }
}

/// <summary>Answer of ListSnapshots, oldest first.</summary>
public sealed record ListSnapshotsResponse
{
    /// <summary>The snapshots.</summary>
    public required IReadOnlyList<SessionSnapshot> Snapshots { get; init; }
}

/// <summary>A snapshot as the session service shows it.</summary>
public sealed record SessionSnapshot
{
    /// <summary>Name, unique in its session.</summary>
    public required string Name { get; init; }

    /// <summary>The session.</summary>
    public string? Dataset { get; init; }

    /// <summary>Bytes of data written between the point before and it.</summary>
    public long Used { get; init; }

    /// <summary>As <see cref="Used"/>: what it refers to is shared and not counted anew.</summary>
    public long Refer { get; init; }

    /// <summary>When it was taken.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>1 when it is held.</summary>
    public int Holds { get; init; }

    /// <summary>Opaque id.</summary>
    [JsonPropertyName("ID")]
    public string? Id { get; init; }

    /// <summary>Name of the snapshot it comes from; null: what the session began with.</summary>
    public string? Parent { get; init; }

    /// <summary><c>turn, tool, named, pause</c>.</summary>
    public string? Kind { get; init; }

    /// <summary>Number of the turn; 0 for others.</summary>
    public int TurnNumber { get; init; }

    /// <summary>What the caller called the turn.</summary>
    public string? Label { get; init; }

    /// <summary>What the caller said of it.</summary>
    public string? Message { get; init; }

    /// <summary>The session comes from it now.</summary>
    public bool Current { get; init; }

    /// <summary>Entries that were not there before.</summary>
    public int Added { get; init; }

    /// <summary>Entries that are different.</summary>
    public int Changed { get; init; }

    /// <summary>Entries that are no more.</summary>
    public int Removed { get; init; }
}
