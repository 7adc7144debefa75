using Microsoft.Extensions.Logging;
using Vivarium.Host.Naming;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Sandboxes;

/// <summary>
/// The limits of a sandbox's life: its time, its idleness, the life of the process it was made for. All are in its record, so a new daemon arms them again; what was due meanwhile is done at once. Idleness is
/// not polled: when the limit could be reached the supervisor is asked when it last saw activity, and the alarm moves on from there.
/// </summary>
internal static partial class SandboxTimers
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan OwnerLook = TimeSpan.FromSeconds(1);

    public static string TimeoutKey(SandboxId id) => "timeout:" + id;

    public static string IdleKey(SandboxId id) => "idle:" + id;

    public static string OwnerKey(SandboxId id) => "owner:" + id;

    /// <summary>Sets, moves or clears the alarms to what the record says.</summary>
    public static void Arm(HostServices host, Sandbox sandbox)
    {
        var record = sandbox.Record;
        if (record.ExpiresUnixMs is { } expires && record.State is not (SandboxState.Destroying or SandboxState.Gone))
        {
            host.Alarms.Set(TimeoutKey(record.Id), DateTimeOffset.FromUnixTimeMilliseconds(expires), () => _ = ExpireAsync(host, sandbox));
        }
        else
        {
            host.Alarms.Clear(TimeoutKey(record.Id));
        }

        ArmOwner(host, sandbox);
        if (record.IdleTimeoutMs is { } idle && record.State == SandboxState.Running)
        {
            ArmIdle(host, sandbox, host.Time.GetUtcNow().AddMilliseconds(idle));
        }
        else
        {
            host.Alarms.Clear(IdleKey(record.Id));
        }
    }

    private static void ArmOwner(HostServices host, Sandbox sandbox)
    {
        var record = sandbox.Record;
        if (record.Owner is not null && record.State is not (SandboxState.Destroying or SandboxState.Gone))
        {
            host.Alarms.Set(OwnerKey(record.Id), host.Time.GetUtcNow() + OwnerLook, () => _ = CheckOwnerAsync(host, sandbox));
        }
        else
        {
            host.Alarms.Clear(OwnerKey(record.Id));
        }
    }

    private static async Task CheckOwnerAsync(HostServices host, Sandbox sandbox)
    {
        if (sandbox.Record.Owner is { } owner && !owner.IsAlive())
        {
            await EndAsync(
                host, sandbox, "owner_ended", "the program it was made for has ended", OwnerKey(sandbox.Record.Id), () => _ = CheckOwnerAsync(host, sandbox), destroys: true).ConfigureAwait(false);
            return;
        }

        ArmOwner(host, sandbox);
    }

    private static void ArmIdle(HostServices host, Sandbox sandbox, DateTimeOffset due) =>
        host.Alarms.Set(IdleKey(sandbox.Record.Id), due, () => _ = CheckIdleAsync(host, sandbox));

    private static async Task ExpireAsync(HostServices host, Sandbox sandbox)
    {
        var record = sandbox.Record;
        if (record.ExpiresUnixMs is { } expires && expires > host.Now)
        {
            Arm(host, sandbox);
            return;
        }

        await EndAsync(host, sandbox, "timeout", "its time ran out", TimeoutKey(record.Id), () => _ = ExpireAsync(host, sandbox)).ConfigureAwait(false);
    }

    private static async Task CheckIdleAsync(HostServices host, Sandbox sandbox)
    {
        var record = sandbox.Record;
        if (record.IdleTimeoutMs is not { } idle || record.State != SandboxState.Running)
        {
            return;
        }

        try
        {
            var status = await sandbox.RequireLink("asking").StatusAsync(CancellationToken.None).ConfigureAwait(false);
            var last = status.OpenStreams > 0 ? host.Now : Math.Max(status.LastActivityUnixMs, record.StartedUnixMs ?? 0);
            if (last + idle > host.Now)
            {
                ArmIdle(host, sandbox, DateTimeOffset.FromUnixTimeMilliseconds(last + idle));
                return;
            }
        }
        catch (VivariumException e)
        {
            // A supervisor that cannot answer is dealt with elsewhere; this alarm asks again later.
            var logger = host.Loggers.CreateLogger("Vivarium.Host.Timers");
            LogAskFailed(logger, e, record.Name);
            ArmIdle(host, sandbox, host.Time.GetUtcNow().AddMilliseconds(idle));
            return;
        }

        await EndAsync(host, sandbox, "idle_timeout", "nothing used it for its idle time", IdleKey(record.Id), () => _ = CheckIdleAsync(host, sandbox)).ConfigureAwait(false);
    }

    private static async Task EndAsync(HostServices host, Sandbox sandbox, string reason, string message, string key, Action again, bool destroys = false)
    {
        var record = sandbox.Record;
        try
        {
            if (record.OnTimeout == "pause" && !destroys)
            {
                if (record.State == SandboxState.Running)
                {
                    await RestAsync(host, sandbox, reason, message).ConfigureAwait(false);
                }

                return;
            }

            sandbox.Explain(reason, message);
            await sandbox.DestroyAsync(DestroyMode.Now).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // Another operation holds the gate, or the end failed: the time is still over, so try again shortly.
            var logger = host.Loggers.CreateLogger("Vivarium.Host.Timers");
            LogRetry(logger, e, record.Name, reason);
            host.Alarms.Set(key, host.Time.GetUtcNow() + Retry, again);
        }
    }

    private static async Task RestAsync(HostServices host, Sandbox sandbox, string reason, string message)
    {
        if (sandbox.Link?.Info.Capabilities.Pause == false)
        {
            // Cannot be frozen here: stopped, it uses nothing either and keeps its data.
            await new StopSandbox(host, new StartSandbox(host), new EndSandbox(host)).StopAsync(sandbox, new StopSandboxParams { Ref = sandbox.Record.Id.Value, Force = true }).ConfigureAwait(false);
            return;
        }

        var start = new StartSandbox(host);
        var end = new EndSandbox(host);
        var pause = new PauseSandbox(host, new StopSandbox(host, start, end), new SaveSandbox(host, start, end));
        var disk = Snapshots.MemoryImages.CanSave(sandbox.Link);
        try
        {
            // Nobody waits for it: where nothing is lost by it, its memory is given back too.
            await pause.PauseAsync(sandbox, disk, reason, message).ConfigureAwait(false);
        }
        catch (VivariumException e) when (disk && sandbox.Record.State == SandboxState.Running && e.Reason is "memory_not_saved" or "pool_full" or "memory_engine_missing")
        {
            await pause.PauseAsync(sandbox, disk: false, reason, message).ConfigureAwait(false);
        }
    }

    [LoggerMessage(EventId = 1501, Level = LogLevel.Warning, Message = "asking sandbox {Sandbox} for its last activity failed")]
    private static partial void LogAskFailed(ILogger logger, Exception exception, string sandbox);

    [LoggerMessage(EventId = 1502, Level = LogLevel.Information, Message = "sandbox {Sandbox} cannot be ended for {Reason} yet")]
    private static partial void LogRetry(ILogger logger, Exception exception, string sandbox, string reason);
}
