using Vivarium.Host.State;
using Vivarium.Host.Supervision;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Sandboxes;

/// <summary>The calls on existing sandboxes, as the API offers them: references resolved, states checked.</summary>
internal sealed class SandboxAccess(HostServices host, SandboxWorkflows workflows)
{
    private static readonly TimeSpan SettleTime = TimeSpan.FromSeconds(20);

    /// <summary>Records that cannot be read; filled once at start.</summary>
    public IReadOnlyList<QuarantinedSandbox> Quarantined { get; set; } = [];

    /// <summary>A sandbox whose state is verified; right after a start this waits for its re-attachment.</summary>
    public async Task<Sandbox> GetAsync(string reference, CancellationToken cancellationToken)
    {
        var sandbox = host.Catalog.Get(reference);
        await SettleAsync(sandbox, cancellationToken).ConfigureAwait(false);
        return sandbox;
    }

    /// <summary>A running sandbox with its supervisor.</summary>
    public async Task<(Sandbox Sandbox, SupervisorLink Link)> GetRunningAsync(string reference, string verb, CancellationToken cancellationToken)
    {
        var sandbox = host.Catalog.Get(reference);
        if (!sandbox.Settled.IsCompleted)
        {
            await SettleAsync(sandbox, cancellationToken).ConfigureAwait(false);
        }

        var record = sandbox.Record;
        if (record.State != SandboxState.Running)
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"{verb} sandbox {record.Name}: it is {record.State}, not running" + (record.Reason is null ? string.Empty : $" ({record.Reason})"),
                record.State switch
                {
                    SandboxState.Paused => $"Resume it first: viv resume {record.Name}",
                    SandboxState.Stopped or SandboxState.Failed => $"Start it first: viv start {record.Name}",
                    _ => "Wait until it has settled.",
                },
                "not_running");
        }

        return (sandbox, sandbox.RequireLink(verb));
    }

    /// <summary>A sandbox that has a supervisor: running or paused.</summary>
    public async Task<(Sandbox Sandbox, SupervisorLink Link)> GetLiveAsync(string reference, string verb, CancellationToken cancellationToken)
    {
        var sandbox = await GetAsync(reference, cancellationToken).ConfigureAwait(false);
        return sandbox is { Record.State: SandboxState.Paused, Link: { } link } ? (sandbox, link) : await GetRunningAsync(reference, verb, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Destroys by reference; what is gone already is fine, what never was is <c>not_found</c>.</summary>
    public async Task DestroyAsync(DestroyParams p, CancellationToken cancellationToken)
    {
        if (host.Catalog.Find(p.Ref) is not { } sandbox)
        {
            await DestroyUnlistedAsync(p).ConfigureAwait(false);
            return;
        }

        var record = sandbox.Record;
        if (!p.Force && SandboxStates.HasSupervisor(record.State))
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition, $"destroying sandbox {record.Name}: it is {record.State}", $"Stop it first, or: viv rm --force {record.Name}", "running");
        }

        // The work goes on when the caller leaves.
        await sandbox.DestroyAsync(p.Now ? DestroyMode.Now : DestroyMode.Orderly).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes stopped and failed ones.</summary>
    public async Task<PruneReply> PruneAsync(PruneParams p, CancellationToken cancellationToken)
    {
        var latest = host.Now - Math.Max(0, p.OlderThanMs ?? 0);
        List<Sandbox> wanted = [.. host.Catalog.All().Where(s => SandboxStates.HasEnded(s.Record.State) && (s.Record.EndedUnixMs ?? 0) <= latest)];
        var removed = new List<SandboxInfo>();
        foreach (var sandbox in wanted)
        {
            var info = SandboxView.Of(sandbox);
            if (!p.DryRun)
            {
                await sandbox.DestroyAsync(DestroyMode.Now).WaitAsync(cancellationToken).ConfigureAwait(false);
            }

            removed.Add(info);
        }

        return new PruneReply { Removed = removed };
    }

    /// <summary>Sets, moves or removes the limits of a life.</summary>
    public Task<SandboxRecord> SetTimeoutAsync(Sandbox sandbox, SetTimeoutParams p) => sandbox.PerformAsync(GateRules.SetTimeout, async _ =>
    {
        var before = sandbox.Record;
        var life = p.TimeoutMs is null ? before.TimeoutMs : CreateRequest.Life(p.TimeoutMs, null, host.Config.Limits.MaxTimeout);
        var next = before with
        {
            TimeoutMs = life,
            ExpiresUnixMs = p.TimeoutMs is null ? before.ExpiresUnixMs : life is null ? null : host.Now + life,
            IdleTimeoutMs = p.IdleTimeoutMs is null ? before.IdleTimeoutMs : CreateRequest.Span("idle_timeout_ms", p.IdleTimeoutMs),
        };
        sandbox.Publish(next);
        await host.Table.UpdateAsync(next).ConfigureAwait(false);
        SandboxTimers.Arm(host, sandbox);
        return next;
    });

    /// <summary>The workflows behind.</summary>
    public SandboxWorkflows Workflows => workflows;

    private async Task SettleAsync(Sandbox sandbox, CancellationToken cancellationToken)
    {
        try
        {
            await sandbox.Settled.WaitAsync(SettleTime, host.Time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new VivariumException(
                ErrorCode.Unavailable, $"sandbox {sandbox.Record.Name} is still being re-attached after the daemon's start", "Try again shortly.", "settling");
        }
    }

    private async Task DestroyUnlistedAsync(DestroyParams p)
    {
        if (Quarantined.FirstOrDefault(q => q.Id == p.Ref) is { } set && Naming.SandboxId.TryParse(set.Id, out var id))
        {
            await host.Remains.RemoveAsync(id, null, SupervisorRemains.NoPatience).ConfigureAwait(false);
            host.Networks.Release(id);
            await workflows.Destroy.DeleteDataAsync(id).ConfigureAwait(false);
            await host.Table.ReleaseQuarantinedAsync(set.Id).ConfigureAwait(false);
            Quarantined = [.. Quarantined.Where(q => q != set)];
            if (Quarantined.Count == 0)
            {
                host.Health.Clear("quarantine");
            }

            return;
        }

        if (!host.Table.WasKnown(p.Ref))
        {
            host.Catalog.Get(p.Ref);
        }
    }
}
