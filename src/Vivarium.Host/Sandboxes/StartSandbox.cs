using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Vivarium.Host.Engines;
using Vivarium.Host.Operations;
using Vivarium.Host.Supervision;
using Vivarium.Templates;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>From a volume to a running sandbox: the specification, the supervisor, its phases up to running. Shared by create, start and restart.</summary>
internal sealed class StartSandbox(HostServices host)
{
    /// <summary>How long a supervisor may take from its first word to <c>running</c>.</summary>
    public static readonly TimeSpan BootTime = TimeSpan.FromSeconds(60);

    /// <summary>The same when processes and memory are brought back.</summary>
    public static readonly TimeSpan RestoreTime = TimeSpan.FromMinutes(10);

    private readonly IdRanges ids = new(host.Config, host.Loggers.CreateLogger<IdRanges>());

    /// <summary>
    /// Starts and attaches; the record is published as running. On failure nothing is left but what the caller made before. <paramref name="prepared"/> is a supervisor the
    /// caller has started already.
    /// </summary>
    public async Task RunAsync(
        Sandbox sandbox, EngineChoice engine, IReadOnlyList<InjectSecretPayload>? secrets, Operation? progress, CancellationToken cancellationToken, string? newMachineId = null,
        string? restoreFrom = null, StartingSupervisor? prepared = null)
    {
        var record = sandbox.Record;
        Directory.CreateDirectory(host.Paths.SandboxLogs(record.Id));
        progress?.Report("supervisor", null, "starting the supervisor");
        SupervisorLink? link = null;
        await using var starting = prepared ?? host.Launcher.Prepare(record.Id);
        try
        {
            var volumes = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
            await host.Networks.OpenAsync(record, cancellationToken).ConfigureAwait(false);
            var root = volumes.PathOf(VolumeKind.Sandbox, record.Id.Value);
            var specification = Specification(record, engine, root) with { IdRange = ids.For(record, engine, root), NewMachineId = newMachineId, RestorePath = restoreFrom };
            link = await host.Launcher.LaunchAsync(record.Id, specification, starting, cancellationToken).ConfigureAwait(false);
            progress?.Report("boot", null, restoreFrom is null ? $"booting with {engine.Engine}" : $"bringing its processes back with {engine.Engine}");
            var status = await link.WaitAsync(static s => s.Phase is SupervisorPhase.Running or SupervisorPhase.Failed or SupervisorPhase.Stopped, restoreFrom is null ? BootTime : RestoreTime, cancellationToken).ConfigureAwait(false);
            if (status.Phase != SupervisorPhase.Running)
            {
                throw new VivariumException(
                    ErrorCode.FailedPrecondition,
                    $"starting sandbox {record.Name}: {status.Message ?? "the engine ended"}",
                    HintFor(status.Reason),
                    status.Reason ?? "start_failed");
            }

            if (secrets is { Count: > 0 })
            {
                await link.SecretsAsync(new SecretsParams { Secrets = secrets }, cancellationToken).ConfigureAwait(false);
            }

            // The host ports that were chosen are known to the supervisor only.
            var ports = record.Ports is null ? null : (await link.PortsAsync(cancellationToken).ConfigureAwait(false)).Ports;
            sandbox.Attach(link);
            sandbox.Publish(record with
            {
                Ports = ports,
                State = SandboxState.Running,
                Reason = null,
                Message = null,
                StartedUnixMs = host.Now,
                EndedUnixMs = null,
                OnDisk = false,
                Memory = null,
                Rollback = null,
                BootId = status.BootId,
            });
        }
        catch (Exception e)
        {
            var known = link is not null && !link.IsOver ? null : ReadFailure(record);
            await host.Remains.RemoveAsync(record.Id, link, SupervisorRemains.NoPatience).ConfigureAwait(false);
            // One that ends at once cuts the connection off while it is being made: what it left behind says why.
            if (known is not null && e is VivariumException { Code: ErrorCode.Unavailable } or IOException or SocketException)
            {
                throw new VivariumException(ErrorCode.FailedPrecondition, $"starting sandbox {record.Name}: {known.Message ?? known.Reason}", HintFor(known.Reason), known.Reason, e);
            }

            throw;
        }
    }

    private static string HintFor(string? reason) => reason switch
    {
        "port_taken" => "Choose another host port (viv port --rm takes this one back), or end whatever has it.",
        "port_not_permitted" or "no_such_address" or "port_refused" => "Choose another host port or address; viv port --rm takes this one back.",
        _ => "viv doctor shows whether the engine works on this machine.",
    };

    private ExitRecord? ReadFailure(SandboxRecord record) => SupervisorRemains.ReadExit(host.Paths.Supervisor(record.Id));

    private SupervisorSpec Specification(SandboxRecord record, EngineChoice engine, string root) => new()
    {
        Protocol = SupervisorMethod.Protocol,
        SandboxId = record.Id.Value,
        Name = record.Name,
        Runtime = engine.Runtime,
        Engine = engine.Engine,
        EnginePath = engine.Path,
        EngineVersion = engine.Version,
        EngineOptions = engine.Options,
        GuestAgentPath = host.Launcher.GuestAgent,
        RootPath = root,
        LogDirectory = host.Paths.SandboxLogs(record.Id),
        Resources = record.Resources,
        Shares = record.Shares,
        Ports = record.Ports,
        Network = host.Networks.Specification(record),
        Env = record.Env,
        DefaultUser = record.User,
        DefaultCwd = record.Workdir,
        Hostname = record.Hostname ?? record.Name,
        CaCertificates = HostAuthorities.Read(host.Config.Templates.CaCertificates),
        CgroupPath = host.Config.Runtime.CgroupRoot.TrimEnd('/') + "/" + record.Id.Value,
        LogMaxBytes = host.Config.Logs.MaxBytes.Bytes,
    };

    /// <summary>The template's environment, overridden by the caller's.</summary>
    public static IReadOnlyDictionary<string, string>? Merge(IReadOnlyDictionary<string, string>? template, IReadOnlyDictionary<string, string>? own)
    {
        if (template is null || own is null)
        {
            return own ?? template;
        }

        var merged = new Dictionary<string, string>(template, StringComparer.Ordinal);
        foreach (var (key, value) in own)
        {
            merged[key] = value;
        }

        return merged;
    }
}
