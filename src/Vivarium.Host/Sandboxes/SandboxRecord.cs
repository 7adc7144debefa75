using System.Text.Json.Serialization;
using Vivarium.Host.Naming;
using Vivarium.Host.Snapshots;
using Vivarium.Host.Warm;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>
/// What the database holds of a sandbox: the intent (specification) and the last state the daemon decided on. Process ids and the like are
/// observed reality and live in the runtime directory; they are looked at anew by every daemon.
/// </summary>
public sealed record SandboxRecord
{
    public required SandboxId Id { get; init; }

    public required string Name { get; init; }

    public string? ExternalId { get; init; }

    /// <summary>One of <see cref="SandboxState"/>.</summary>
    public required string State { get; init; }

    public string? Reason { get; init; }

    public string? Message { get; init; }

    public required string Runtime { get; init; }

    /// <summary>Empty until the engine was chosen.</summary>
    public required string Engine { get; init; }

    public bool Isolated { get; init; } = true;

    /// <summary>Name the template was asked for by.</summary>
    public required string Template { get; init; }

    /// <summary>Empty until the template is resolved.</summary>
    public required string TemplateDigest { get; init; }

    public required ResourceSpec Resources { get; init; }

    public required string Network { get; init; }

    /// <summary>What network <c>nat</c> may reach beyond the defaults.</summary>
    public NetworkPolicySpec? Policy { get; init; }

    /// <summary>Addresses that are this sandbox's alone until it is gone, also while it is stopped.</summary>
    public string? Ipv4 { get; init; }

    /// <summary>IPv6 address; absent when the pool has none.</summary>
    public string? Ipv6 { get; init; }

    public IReadOnlyDictionary<string, string>? Env { get; init; }

    public IReadOnlyList<ShareSpec>? Shares { get; init; }

    /// <summary>Published ports with the host ports they have, or had when it ran last.</summary>
    public IReadOnlyList<PublishedPort>? Ports { get; init; }

    public string? User { get; init; }

    public string? Workdir { get; init; }

    public string? Hostname { get; init; }

    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>Number of the range of host ids that is this sandbox's alone, for its user namespace (<see cref="IdRanges"/>); absent in records of the first version.</summary>
    public int? IdSlot { get; init; }

    public required long CreatedUnixMs { get; init; }

    public long? StartedUnixMs { get; init; }

    /// <summary>When it stopped or failed.</summary>
    public long? EndedUnixMs { get; init; }

    public long? ExpiresUnixMs { get; init; }

    /// <summary>Length of its life as asked for; a resume after a pause by timeout counts anew from here.</summary>
    public long? TimeoutMs { get; init; }

    public long? IdleTimeoutMs { get; init; }

    /// <summary><c>kill</c> or <c>pause</c>.</summary>
    public required string OnTimeout { get; init; }

    /// <summary>
    /// Secrets were asked for and are not in the guest yet. They are never stored, so a create that was cut short by the daemon's death cannot be
    /// finished and is undone.
    /// </summary>
    public bool AwaitsSecrets { get; init; }

    /// <summary>The process it lives for; absent where it lives for itself.</summary>
    public ProcessIdentity? Owner { get; init; }

    /// <summary>Boot id of the guest when the daemon last saw it; a different one means it was started anew behind our back.</summary>
    public string? BootId { get; init; }

    /// <summary>Where its data comes from; absent in records of versions without snapshots.</summary>
    public Lineage? Lineage { get; init; }

    /// <summary>A rollback that has begun: the next start of the daemon completes it.</summary>
    public RollbackIntent? Rollback { get; init; }

    /// <summary>Paused without a process: only its files are kept.</summary>
    public bool OnDisk { get; init; }

    /// <summary>Paused to disk with processes and memory, which a resume brings back.</summary>
    public MemoryImage? Memory { get; init; }

    /// <summary>What the caller sees of a record in a log.</summary>
    public override string ToString() => $"{Name} ({Id}, {State})";
}

/// <summary>JSON of what the database stores. Unknown members are kept out on purpose: a newer daemon's record is refused by the schema version first.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SandboxRecord))]
[JsonSerializable(typeof(SnapshotRecord))]
[JsonSerializable(typeof(WarmNote))]
internal sealed partial class StateJson : JsonSerializerContext;
