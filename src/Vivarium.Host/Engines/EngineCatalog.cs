using Microsoft.Extensions.Logging;
using Vivarium.Configuration;
using Vivarium.Host.Health;
using Vivarium.Host.Supervision;
using Vivarium.Runtimes.Probing;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Engines;

/// <summary>
/// What probing found, asked for once and remembered; when a runtime is wanted that did not work, it is tried again, for somebody may have installed the engine.
/// </summary>
internal sealed partial class EngineCatalog(
    VivariumConfig config, HostPaths paths, SupervisorPrograms programs, HealthConditions health, TimeProvider time, ILogger<EngineCatalog> logger) : IEngineCatalog
{
    private const string Condition = "engines";
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(10);
    private static readonly EngineChoice Direct = new("direct", "direct", string.Empty, null, Isolated: false, UserNamespaces: false);

    private readonly Lock gate = new();
    private Task<IReadOnlyList<ProbedEngine>>? probing;
    private long probed;

    /// <inheritdoc/>
    public async Task<EngineChoice> ChooseAsync(string runtime, CancellationToken cancellationToken)
    {
        if (runtime == "direct")
        {
            return Direct;
        }

        var engines = await ProbeAsync(cancellationToken).ConfigureAwait(false);
        if (Best(engines, runtime) is { } choice)
        {
            return choice;
        }

        engines = await AgainAsync(cancellationToken).ConfigureAwait(false);
        return Best(engines, runtime) ?? throw Unusable(engines, runtime);
    }

    /// <inheritdoc/>
    public async Task<EngineChoice> GetAsync(string runtime, string engine, CancellationToken cancellationToken)
    {
        if (runtime == "direct")
        {
            return Direct;
        }

        var engines = await ProbeAsync(cancellationToken).ConfigureAwait(false);
        return engines.FirstOrDefault(e => e.Info.Works && e.Info.Runtime == runtime && e.Info.Engine == engine) is { } same
            ? Choice(same)
            : await ChooseAsync(runtime, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<EngineChoice?> FindSaverAsync(string engine, string version, CancellationToken cancellationToken)
    {
        var engines = await ProbeAsync(cancellationToken).ConfigureAwait(false);
        return engines.FirstOrDefault(e => e.Info.Works && e.Info.MemorySnapshots && e.Info.Engine == engine && e.Info.Version == version) is { } same ? Choice(same) : null;
    }

    /// <inheritdoc/>
    public void Warm() => _ = ProbeAsync(CancellationToken.None);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<EngineInfo>> ListAsync(CancellationToken cancellationToken)
    {
        var engines = await ProbeAsync(cancellationToken).ConfigureAwait(false);
        return [.. engines.Select(static e => e.Info)];
    }

    private static EngineChoice? Best(IReadOnlyList<ProbedEngine> engines, string runtime)
    {
        string[] wanted = runtime == "auto" ? ["container", "gvisor"] : [runtime];
        return wanted.Select(r => engines.FirstOrDefault(e => e.Info.Works && e.Info.Default && e.Info.Runtime == r)).OfType<ProbedEngine>().Select(Choice).FirstOrDefault();
    }

    private static EngineChoice Choice(ProbedEngine e) =>
        new(e.Info.Runtime, e.Info.Engine, e.Info.Path ?? string.Empty, e.Options, Isolated: true, e.UserNamespaces, e.UserNamespaceRefusal, e.Info.Version);

    private static VivariumException Unusable(IReadOnlyList<ProbedEngine> engines, string runtime)
    {
        var tried = engines.Where(e => runtime == "auto" || e.Info.Runtime == runtime).Select(static e => $"{e.Info.Engine}: {e.Info.Detail}");
        return new VivariumException(
            ErrorCode.FailedPrecondition,
            $"creating a sandbox: no engine for the runtime {runtime} works on this machine ({string.Join("; ", tried)})",
            "Install one (runc, crun or runsc are Debian packages); viv doctor shows more.",
            "no_engine");
    }

    private Task<IReadOnlyList<ProbedEngine>> ProbeAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            // Not tied to the request that happened to be first.
            probing = probing is null or { IsFaulted: true } ? Task.Run(LookAsync, CancellationToken.None) : probing;
            return probing.IsCompletedSuccessfully ? probing : probing.WaitAsync(cancellationToken);
        }
    }

    private Task<IReadOnlyList<ProbedEngine>> AgainAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (probing is { IsCompleted: true } && time.GetElapsedTime(probed) > Fresh)
            {
                probing = null;
            }
        }

        return ProbeAsync(cancellationToken);
    }

    private async Task<IReadOnlyList<ProbedEngine>> LookAsync()
    {
        var work = Path.Combine(paths.Runtime, "probes");
        Directory.CreateDirectory(work, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var probe = new EngineProbe(new EngineProbeOptions
        {
            Runc = config.Runtime.Runc,
            Crun = config.Runtime.Crun,
            Runsc = config.Runtime.Runsc,
            GuestAgentPath = programs.GuestAgent,
            WorkDirectory = work,
            CacheFile = Path.Combine(paths.State, "engines.json"),
            CgroupRoot = config.Runtime.CgroupRoot,
        });
        var started = time.GetTimestamp();
        var engines = await probe.RunAsync(CancellationToken.None).ConfigureAwait(false);
        probed = time.GetTimestamp();
        var took = time.GetElapsedTime(started);
        foreach (var engine in engines)
        {
            LogFound(engine.Info.Engine, engine.Info.Version, engine.Info.Works, engine.Info.Detail, took);
        }

        if (engines.Any(static e => e.Info.Works))
        {
            health.Clear(Condition);
        }
        else
        {
            health.Set(Condition, HealthConditions.Unhealthy, "no engine works on this machine, so no sandbox can be made; viv doctor says why");
        }

        return engines;
    }

    [LoggerMessage(EventId = 1801, Level = LogLevel.Information, Message = "engine {Engine} {Version}: works {Works}: {Detail} (probing took {Took})")]
    private partial void LogFound(string engine, string? version, bool works, string? detail, TimeSpan took);
}
