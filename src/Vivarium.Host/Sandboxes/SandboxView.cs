using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>The form of a sandbox that API calls show.</summary>
internal static class SandboxView
{
    /// <summary>Record and connection as one.</summary>
    public static SandboxInfo Of(Sandbox sandbox) => Of(sandbox.Record, sandbox.Link?.Info);

    /// <summary>The record alone, or with what its supervisor said of itself.</summary>
    public static SandboxInfo Of(SandboxRecord r, SupervisorInfo? supervisor = null)
    {
        return new SandboxInfo
        {
            Id = r.Id.Value,
            Name = r.Name,
            ExternalId = r.ExternalId,
            State = r.State,
            Reason = r.Reason,
            Message = r.Message,
            Runtime = r.Runtime,
            Engine = r.Engine,
            Isolated = r.Isolated,
            Template = r.Template,
            TemplateDigest = r.TemplateDigest,
            Resources = r.Resources,
            Network = r.Network,
            Addresses = r.Ipv4 is null ? null : r.Ipv6 is null ? [r.Ipv4] : [r.Ipv4, r.Ipv6],
            Policy = r.Policy,
            CreatedUnixMs = r.CreatedUnixMs,
            StartedUnixMs = r.StartedUnixMs,
            ExpiresUnixMs = r.ExpiresUnixMs,
            IdleTimeoutMs = r.IdleTimeoutMs,
            OnTimeout = r.OnTimeout,
            User = r.User,
            Workdir = r.Workdir,
            Hostname = r.Hostname ?? r.Name,
            Labels = r.Labels,
            BootId = r.BootId,
            SupervisorPid = supervisor?.Pid ?? 0,
            SupervisorVersion = supervisor?.Version,
            SupervisorProtocol = supervisor?.Protocol,
            Shares = r.Shares,
            Ports = r.Ports,
            Capabilities = supervisor?.Capabilities,
            Turns = r.Lineage is { Turns: > 0 } l ? l.Turns : null,
            Snapshot = r.Lineage?.Head?.Value,
            RolledBackUnixMs = r.Lineage?.RolledBackUnixMs,
            ForkedFrom = r.Lineage?.ForkedFrom?.Value,
            PausedTo = r.State != SandboxState.Paused ? null : r.OnDisk ? "disk" : "memory",
        };
    }

    /// <summary>Whether a sandbox is wanted by a list.</summary>
    public static bool Fits(SandboxRecord record, ListParams wanted) =>
        (wanted.States is not { Count: > 0 } states || states.Contains(record.State))
        && (wanted.Labels is not { } labels || labels.All(l => record.Labels is { } own && own.TryGetValue(l.Key, out var value) && value == l.Value));
}
