using Vivarium.Wire.Guest;

namespace Vivarium.Wire.Host;

/// <summary>Kinds of snapshots.</summary>
public static class SnapshotKind
{
    /// <summary>Closes a turn of an agent.</summary>
    public const string Turn = "turn";

    /// <summary>Taken after a tool call.</summary>
    public const string Tool = "tool";

    /// <summary>Asked for by a person or program.</summary>
    public const string Named = "named";

    /// <summary>Taken when the sandbox was paused to disk with its memory.</summary>
    public const string Pause = "pause";
}

/// <summary>An immutable point of a sandbox.</summary>
public sealed record SnapshotInfo
{
    /// <summary>20 characters of [a-z0-9].</summary>
    public required string Id { get; init; }

    /// <summary>Sandbox it was taken of; a held snapshot may outlive it.</summary>
    public required string SandboxId { get; init; }

    /// <summary>Name of that sandbox.</summary>
    public required string SandboxName { get; init; }

    /// <summary>Snapshot it comes from; absent: the template (or, in a fork, the point it was forked from).</summary>
    public string? Parent { get; init; }

    /// <summary>One of <see cref="SnapshotKind"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>Unique in its sandbox; turns are called <c>turn-0001</c> and so on.</summary>
    public required string Name { get; init; }

    /// <summary>Number of the turn, from 1; never used twice in a sandbox.</summary>
    public int? Turn { get; init; }

    /// <summary>What the caller calls the turn.</summary>
    public string? Label { get; init; }

    /// <summary>What the caller says of it.</summary>
    public string? Message { get; init; }

    /// <summary>Milliseconds since the Unix epoch.</summary>
    public required long CreatedUnixMs { get; init; }

    /// <summary>The store's counter of changes at this point; equal ones hold equal data.</summary>
    public required long Generation { get; init; }

    /// <summary>Bytes of data written between its parent and it; absent where the store cannot tell.</summary>
    public long? BytesUnique { get; init; }

    /// <summary>Memory and processes are in it too.</summary>
    public bool HasMemory { get; init; }

    /// <summary>Size of processes and memory, bytes.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Kept until let go: neither pruned nor removed with its sandbox.</summary>
    public bool Held { get; init; }

    /// <summary>The sandbox was unchanged: this shares the data of its parent and costs nothing.</summary>
    public bool Unchanged { get; init; }

    /// <summary>The sandbox's next snapshot will come from this one.</summary>
    public bool Current { get; init; }

    /// <summary>What changed since the parent.</summary>
    public ChangeSummary? Changes { get; init; }

    /// <summary>How long the sandbox stood still for it, microseconds; absent when nothing ran.</summary>
    public long? PausedUs { get; init; }

    /// <summary>Labels.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }
}

/// <summary>Counts of entries (files, directories, links) that differ, and the first of them.</summary>
public sealed record ChangeSummary
{
    /// <summary>Entries that were not there before.</summary>
    public required int Added { get; init; }

    /// <summary>Entries that are different.</summary>
    public required int Changed { get; init; }

    /// <summary>Entries that are no more.</summary>
    public required int Removed { get; init; }

    /// <summary>The first paths in order, each after <c>+</c>, <c>~</c> or <c>-</c>.</summary>
    public IReadOnlyList<string>? First { get; init; }
}

/// <summary>One entry that differs.</summary>
public sealed record ChangeEntry
{
    /// <summary><c>added, changed, removed</c>.</summary>
    public required string Change { get; init; }

    /// <summary>Absolute path in the sandbox. Bytes that are not UTF-8, and backslashes, are written <c>\xNN</c>.</summary>
    public required string Path { get; init; }

    /// <summary><c>file, directory, symlink, other</c>.</summary>
    public required string Type { get; init; }

    /// <summary>Bytes before; absent when it was not there.</summary>
    public long? SizeBefore { get; init; }

    /// <summary>Bytes after; absent when it is not there.</summary>
    public long? SizeAfter { get; init; }
}

/// <summary>Parameters of <c>snapshot.create</c>.</summary>
public sealed record SnapshotParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>Name, unique in the sandbox: 1 to 63 of letters, digits, '.', '_', '-'; not <c>turn-…</c> or <c>tool-…</c>. Default two words.</summary>
    public string? Name { get; init; }

    /// <summary>A sentence.</summary>
    public string? Message { get; init; }

    /// <summary>Labels.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>Hold it from the beginning.</summary>
    public bool Hold { get; init; }

    /// <summary>Keep processes and memory too, of the same instant; refused where the engine cannot (<c>memory_snapshots_not_available</c>).</summary>
    public bool Memory { get; init; }
}

/// <summary>Parameters of <c>turn.complete</c>.</summary>
public sealed record TurnParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>What the turn is called, 1 to 256 characters.</summary>
    public string? Label { get; init; }

    /// <summary>What there is to say of it, up to 4096 characters.</summary>
    public string? Message { get; init; }

    /// <summary>Labels.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }
}

/// <summary>Parameters of <c>snapshot.list</c>.</summary>
public sealed record SnapshotListParams
{
    /// <summary>The sandbox; default all, and held ones whose sandbox is gone.</summary>
    public string? Ref { get; init; }

    /// <summary>Only this kind.</summary>
    public string? Kind { get; init; }
}

/// <summary>Answer to <c>snapshot.list</c>: by sandbox, oldest first; parents before their children.</summary>
public sealed record SnapshotList
{
    /// <summary>The snapshots.</summary>
    public required IReadOnlyList<SnapshotInfo> Snapshots { get; init; }
}

/// <summary>
/// A snapshot: with a sandbox by name, turn number, id or unambiguous beginning of the id; without one as <c>SANDBOX@SNAPSHOT</c>, by id or unambiguous beginning of the id.
/// </summary>
public sealed record SnapshotRefParams
{
    /// <summary>The sandbox.</summary>
    public string? Ref { get; init; }

    /// <summary>The snapshot.</summary>
    public required string Snapshot { get; init; }
}

/// <summary>Parameters of <c>snapshot.rename</c>.</summary>
public sealed record RenameSnapshotParams
{
    /// <summary>The sandbox.</summary>
    public string? Ref { get; init; }

    /// <summary>The snapshot, a named one.</summary>
    public required string Snapshot { get; init; }

    /// <summary>Its new name.</summary>
    public required string Name { get; init; }
}

/// <summary>Parameters of <c>snapshot.hold</c>.</summary>
public sealed record HoldSnapshotParams
{
    /// <summary>The sandbox.</summary>
    public string? Ref { get; init; }

    /// <summary>The snapshot.</summary>
    public required string Snapshot { get; init; }

    /// <summary>Hold it or let it go.</summary>
    public required bool Held { get; init; }
}

/// <summary>Parameters of <c>sandbox.diff</c>.</summary>
public sealed record DiffParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>Earlier point, a snapshot; default: the one the sandbox comes from now.</summary>
    public string? From { get; init; }

    /// <summary>Later point, a snapshot; default: now.</summary>
    public string? To { get; init; }

    /// <summary>Most entries returned, 0 to 50 000; default 10 000. All are counted.</summary>
    public int? Limit { get; init; }
}

/// <summary>Answer to <c>sandbox.diff</c>.</summary>
public sealed record DiffReply
{
    /// <summary>Name of the earlier point; <c>origin</c> for the template or the point a fork began at.</summary>
    public required string From { get; init; }

    /// <summary>Name of the later point; <c>now</c> for the sandbox as it is.</summary>
    public required string To { get; init; }

    /// <summary>Counts over everything.</summary>
    public required ChangeSummary Summary { get; init; }

    /// <summary>The entries in order of their paths.</summary>
    public required IReadOnlyList<ChangeEntry> Entries { get; init; }

    /// <summary>There are more entries than were asked for.</summary>
    public bool Truncated { get; init; }
}

/// <summary>Parameters of <c>sandbox.rollback</c>.</summary>
public sealed record RollbackParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>The snapshot, one of this sandbox.</summary>
    public required string Snapshot { get; init; }

    /// <summary>Also while tools run, which end with the processes; otherwise that is refused.</summary>
    public bool Force { get; init; }

    /// <summary>Remove the snapshots that come after it, except held ones; default: they stay, as a branch.</summary>
    public bool DiscardLater { get; init; }

    /// <summary>
    /// Bring back processes and memory too: absent, when the snapshot has them; true, or refuse; false, files alone. Only for a sandbox that runs or is paused.
    /// </summary>
    public bool? Memory { get; init; }

    /// <summary>Secrets for the sandbox as it comes back: they live in memory only, so those it had are gone with its processes.</summary>
    public IReadOnlyList<InjectSecretPayload>? Secrets { get; init; }
}

/// <summary>Parameters of <c>sandbox.fork</c>.</summary>
public sealed record ForkParams
{
    /// <summary>A sandbox; or with <see cref="Snapshot"/> absent also <c>SANDBOX@SNAPSHOT</c> or the id of a snapshot.</summary>
    public required string Ref { get; init; }

    /// <summary>One of its snapshots; default: now.</summary>
    public string? Snapshot { get; init; }

    /// <summary>How many, 1 to 100; default 1. All come from one instant, and all or none are made.</summary>
    public int? Count { get; init; }

    /// <summary>Name of the fork; of several, each gets a number behind it. Default two words each.</summary>
    public string? Name { get; init; }

    /// <summary>Labels, added to the source's.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>Secrets for the forks. The source's are not inherited.</summary>
    public IReadOnlyList<InjectSecretPayload>? Secrets { get; init; }

    /// <summary>
    /// With processes and memory: absent, when it is a snapshot that has them; true, also of a sandbox as it is now, or refuse; false, files alone.
    /// </summary>
    public bool? Memory { get; init; }

    /// <summary>Life of the forks in milliseconds; default as long as the source was given.</summary>
    public long? TimeoutMs { get; init; }
}

/// <summary>Parameters of <c>sandbox.pause</c>.</summary>
public sealed record PauseParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>
    /// Give its memory back. Where the engine can, processes and memory are saved and a resume brings them back; elsewhere the processes end, the files stay, and a resume starts
    /// anew from them.
    /// </summary>
    public bool Disk { get; init; }
}
