using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Cgroups;
using Vivarium.Runtimes.Guest;
using Vivarium.Runtimes.Ledger;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Direct;

/// <summary>
/// No isolation: the agent is a plain child that lives in the volume's directory with a clean environment. For development and for hosts that are
/// themselves disposable; the daemon refuses it unless the configuration allows it. Its cgroup, where it can be made, serves to find and kill
/// every process it starts, and holds the limits.
/// </summary>
internal sealed class DirectRuntime : AgentRuntime
{
    private static readonly TimeSpan FreezeDeadline = TimeSpan.FromSeconds(10);

    private SandboxCgroup? cgroup;
    private ResourceSpec? limits;
    private ChildProcess? agent;

    /// <inheritdoc/>
    public override RuntimeCapabilities Capabilities { get; } = new() { Isolated = false, Pause = true, Limits = true };

    /// <inheritdoc/>
    protected override string EngineName => "direct";

    /// <inheritdoc/>
    public override Task PauseAsync(CancellationToken cancellationToken)
    {
        RequireRunning("pause the sandbox");
        return cgroup!.FreezeAsync(FreezeDeadline, cancellationToken);
    }

    /// <inheritdoc/>
    public override Task ResumeAsync(CancellationToken cancellationToken)
    {
        RequireRunning("resume the sandbox");
        return cgroup!.ThawAsync(FreezeDeadline, cancellationToken);
    }

    /// <inheritdoc/>
    public override Task<SandboxUsage> StatsAsync(CancellationToken cancellationToken)
    {
        RequireRunning("measure the sandbox");
        return Task.FromResult(cgroup!.Usage() with { MemoryLimitBytes = limits!.MemoryBytes, PidsLimit = limits.Pids });
    }

    /// <inheritdoc/>
    protected override void Validate(RuntimeStartOptions options)
    {
        var refused = options switch
        {
            { Disks.Count: > 0 } => "disks",
            { Nics.Count: > 0 } => "network interfaces",
            { Spec.Shares.Count: > 0 } => "shared directories",
            { Spec.IdRange: not null } => "an id range",
            { Spec.Network.NamespacePath: not null } => "a network namespace",
            { Spec.Network.Attachment: not null } => "a network interface of its own",
            _ => null,
        };
        if (refused is not null)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"cannot start the sandbox: the direct runtime takes no {refused}", "use the container runtime");
        }
    }

    /// <inheritdoc/>
    protected override Task<LaunchedAgent> LaunchAsync(RuntimeStartOptions options, AgentPipes pipes, ConsolePump console, CancellationToken cancellationToken)
    {
        var spec = options.Spec;
        Ledger.Add(new LedgerEntry(LedgerKind.Cgroup, spec.CgroupPath));
        cgroup = new SandboxCgroup(spec.CgroupPath);
        limits = spec.Resources;
        var hierarchies = CgroupHierarchies.Current;
        var work = WorkCgroup.Possible(hierarchies);
        cgroup.Create(work ? WorkCgroup.WithAgent(limits) : limits);
        var directories = work ? WorkCgroup.Create(hierarchies, spec.CgroupPath, limits).Values : [];
        agent = ChildProcess.Start(new SpawnOptions
        {
            FileName = spec.GuestAgentPath,
            Argv = [spec.GuestAgentPath, "init", .. options.InitArguments ?? []],
            Env =
            [
                $"PATH={SpawnOptions.DefaultPath}", $"HOME={spec.RootPath}", $"VIV_TOKEN={options.Token}",
                .. work ? [$"{WorkCgroup.Variable}={string.Join(':', directories)}"] : Array.Empty<string>(),
            ],
            Cwd = spec.RootPath,
            Fds = pipes.ChildDescriptors,
            NewSession = true,
            CgroupDirectories = cgroup.Directories,
            Limits = [new ResourceLimit(LimitKind.Core, 0, 0)],
        });
        Ledger.Add(LedgerEntry.Of(ProcessIdentity.Of(agent.Pid)));
        return Task.FromResult(new LaunchedAgent(agent.Pid, agent.Exited));
    }

    /// <inheritdoc/>
    protected override async Task KillAsync(TimeSpan deadline, CancellationToken cancellationToken)
    {
        if (cgroup is not null)
        {
            await cgroup.KillAsync(deadline, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    protected override async Task ReleaseAsync()
    {
        // Its own deadlines bound it; there is no one left to cancel it.
        await Reclaim.RunAsync(Ledger, CancellationToken.None).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected override (string Reason, string Message) Explain(ChildExit exit) => exit switch
    {
        { Signal: Signals.SIGKILL } when cgroup?.OomKills() > 0 => ("oom", "the agent was killed because the sandbox ran out of memory"),
        { Signal: { } signal } => ("guest_exited", $"the agent was killed by {Signals.Name(signal)}"),
        _ => ("guest_exited", $"the agent exited with code {exit.Code}"),
    };
}
