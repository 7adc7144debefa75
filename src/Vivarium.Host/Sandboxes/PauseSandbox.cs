using Vivarium.Wire.Host;

namespace Vivarium.Host.Sandboxes;

/// <summary>Freezes a sandbox's processes in memory and thaws them.</summary>
internal sealed class PauseSandbox(HostServices host)
{
    /// <summary>Freezes; back to running when that fails.</summary>
    public Task<SandboxRecord> PauseAsync(Sandbox sandbox, string? reason = null, string? message = null) => sandbox.PerformAsync(GateRules.Pause, async token =>
    {
        var before = sandbox.Record;
        var link = sandbox.RequireLink("pausing");
        sandbox.Publish(before with { State = SandboxState.Pausing });
        try
        {
            await link.PauseAsync(token).ConfigureAwait(false);
        }
        catch
        {
            sandbox.Publish(before);
            throw;
        }

        // A paused sandbox uses no time: its limit counts anew when it is resumed.
        var paused = before with { State = SandboxState.Paused, Reason = reason, Message = message, ExpiresUnixMs = reason is null ? before.ExpiresUnixMs : null };
        sandbox.Publish(paused);
        await host.Table.UpdateAsync(paused).ConfigureAwait(false);
        SandboxTimers.Arm(host, sandbox);
        host.Events.Publish("sandbox.paused", paused, reason, message);
        return paused;
    });

    /// <summary>Thaws; back to paused when that fails.</summary>
    public Task<SandboxRecord> ResumeAsync(Sandbox sandbox) => sandbox.PerformAsync(GateRules.Resume, async token =>
    {
        var before = sandbox.Record;
        var link = sandbox.RequireLink("resuming");
        sandbox.Publish(before with { State = SandboxState.Resuming });
        try
        {
            await link.ResumeAsync(token).ConfigureAwait(false);
        }
        catch
        {
            sandbox.Publish(before);
            throw;
        }

        var running = before with
        {
            State = SandboxState.Running,
            Reason = null,
            Message = null,
            ExpiresUnixMs = before.ExpiresUnixMs ?? (before.TimeoutMs is { } life ? host.Now + life : null),
        };
        sandbox.Publish(running);
        await host.Table.UpdateAsync(running).ConfigureAwait(false);
        SandboxTimers.Arm(host, sandbox);
        host.Events.Publish("sandbox.running", running, "resumed");
        return running;
    });
}
