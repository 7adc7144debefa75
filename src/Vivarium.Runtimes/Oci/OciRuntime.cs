using System.Globalization;
using Vivarium.Linux.Namespaces;
using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Cgroups;
using Vivarium.Runtimes.Guest;
using Vivarium.Runtimes.Ledger;
using Vivarium.Runtimes.Network;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Oci;

/// <summary>
/// A sandbox in an OCI container. The engine program only starts it (<c>run --detach</c>) and ends: its init is adopted by this process, which must be
/// a child subreaper, and is killed, frozen, measured and cleaned up after through its cgroup, with no engine process in between.
/// </summary>
internal sealed class OciRuntime(OciEngine engine) : AgentRuntime
{
    private const string BundleName = "bundle";
    private const string StateName = "engine";
    private const string PidFileName = "init.pid";
    private const string NamespaceName = "netns";
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan RestoreDeadline = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan FreezeDeadline = TimeSpan.FromSeconds(10);

    private SandboxCgroup? cgroup;
    private ResourceSpec? limits;
    private ChildProcess? launcher;
    private Task<ChildExit>? initExited;
    private long oomKillsSeen;
    private MemoryImage? memory;
    private bool frozen;
    private bool saved;

    /// <summary>Whether the sandbox gets a user namespace: known before it is started, for whoever asks then.</summary>
    public bool UserNamespace { get; init; }

    /// <inheritdoc/>
    public override RuntimeCapabilities Capabilities => new()
    {
        Isolated = true,
        Pause = true,
        Limits = true,
        NetworkNamespace = true,
        UserNamespace = UserNamespace,
        Checkpoint = engine.Checkpoints,
    };

    /// <inheritdoc/>
    protected override string EngineName => engine.Name;

    /// <inheritdoc/>
    public override async Task PauseAsync(CancellationToken cancellationToken)
    {
        RequireRunning("pause the sandbox");
        await cgroup!.FreezeAsync(FreezeDeadline, cancellationToken).ConfigureAwait(false);
        frozen = true;
    }

    /// <inheritdoc/>
    public override async Task ResumeAsync(CancellationToken cancellationToken)
    {
        RequireRunning("resume the sandbox");
        await cgroup!.ThawAsync(FreezeDeadline, cancellationToken).ConfigureAwait(false);
        frozen = false;
        if (saved)
        {
            await memory!.GoOnAsync(cancellationToken).ConfigureAwait(false);
            saved = false;
            ContinueConnection();
        }
    }

    /// <inheritdoc/>
    public override async Task CheckpointAsync(string directory, CancellationToken cancellationToken)
    {
        RequireRunning("save the sandbox's memory");
        if (memory is null)
        {
            throw CannotCheckpoint();
        }

        var wasFrozen = frozen;
        var wasSaved = saved;
        try
        {
            if (!saved)
            {
                // The engine saves what it has stopped itself, and cannot while the kernel has stopped the engine. Seen through once begun: it would go on saving without us.
                await cgroup!.ThawAsync(FreezeDeadline, cancellationToken).ConfigureAwait(false);
                frozen = false;
                await HoldConnectionAsync(cancellationToken).ConfigureAwait(false);
                await memory.StandAsync(CancellationToken.None).ConfigureAwait(false);
                saved = true;
            }

            await memory.SaveAsync(directory, limits!.MemoryBytes, CancellationToken.None).ConfigureAwait(false);
        }
        catch when (!wasSaved)
        {
            await UndoCheckpointAsync(wasFrozen).ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public override async Task RestoreAsync(RuntimeStartOptions options, string directory, CancellationToken cancellationToken)
    {
        if (!engine.Checkpoints)
        {
            throw CannotCheckpoint();
        }

        MemoryImage.Require(directory);
        await BeginAsync(
            options with { Spec = options.Spec with { GuestAgentPath = MemoryImage.AgentIn(directory) } },
            (from, pipes, console, cancellation) => LaunchAsync(from, pipes, console, MemoryImage.ImageIn(directory), cancellation),
            restores: true,
            cancellationToken).ConfigureAwait(false);
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
        if (options.Disks is { Count: > 0 } || options.Nics is { Count: > 0 })
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"cannot start the sandbox: engine {engine.Name} takes no {(options.Disks is { Count: > 0 } ? "disks" : "network interfaces")}");
        }

        SandboxInterface.Check(options.Spec.Network);

        if (engine.Name == "runsc" && options.Spec.IdRange is not null)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, "cannot start the sandbox: engine runsc isolates ids by itself and takes no id range");
        }
    }

    /// <inheritdoc/>
    protected override Task<LaunchedAgent> LaunchAsync(RuntimeStartOptions options, AgentPipes pipes, ConsolePump console, CancellationToken cancellationToken) =>
        LaunchAsync(options, pipes, console, image: null, cancellationToken);

    private async Task<LaunchedAgent> LaunchAsync(RuntimeStartOptions options, AgentPipes pipes, ConsolePump console, string? image, CancellationToken cancellationToken)
    {
        var spec = options.Spec;
        var bundle = Path.Combine(options.StateDirectory, BundleName);
        var state = Path.Combine(options.StateDirectory, StateName);
        var pidFile = Path.Combine(options.StateDirectory, PidFileName);

        Ledger.Add(new LedgerEntry(LedgerKind.Cgroup, spec.CgroupPath));
        Ledger.Add(new LedgerEntry(LedgerKind.Container, state));
        Ledger.Add(new LedgerEntry(LedgerKind.Directory, bundle));
        cgroup = new SandboxCgroup(spec.CgroupPath);

        // mkdir of the state root is the engine's; a bundle left by an earlier try is overwritten.
        Directory.CreateDirectory(bundle, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.Delete(pidFile);
        var hierarchies = CgroupHierarchies.Current;
        var work = engine.JoinsWorkCgroup && WorkCgroup.Possible(hierarchies)
            ? WorkCgroup.Create(hierarchies, spec.CgroupPath, spec.Resources, spec.IdRange?.First)
            : new Dictionary<string, string>();
        limits = spec.Resources;
        if (spec.Network.Attachment is { } early && engine.ReadsInterfacesAtStart)
        {
            var place = Path.Combine(options.StateDirectory, NamespaceName);
            Ledger.Add(new LedgerEntry(LedgerKind.NetworkNamespace, place));
            NetworkNamespace.Create(place);
            Ledger.Add(new LedgerEntry(LedgerKind.Link, early.Port));
            SandboxInterface.Attach(early, place);
            options = options with { Spec = spec with { Network = spec.Network with { NamespacePath = place } } };
            spec = options.Spec;
        }

        var mapped = MappedRoot.Plan(spec, options.StateDirectory);
        var shared = SharedView.Plan(spec, options.StateDirectory);
        var seen = mapped?.Staged ?? shared?.Staged ?? spec;
        OciBundle.Write(bundle, options with { Spec = seen }, engine, new OciPlacement { RootPath = seen.RootPath, WorkCgroups = work, SysPath = mapped?.SysPath });
        if (engine.IgnoresCgroups)
        {
            cgroup.Create(spec.Resources);
        }

        memory = engine.Checkpoints ? new MemoryImage(engine, state, spec.SandboxId, spec.GuestAgentPath) : null;

        var program = new SpawnOptions
        {
            FileName = engine.Path,
            Argv = image is null ? engine.Run(state, bundle, pidFile, spec.SandboxId) : engine.Restore(state, bundle, pidFile, image, spec.SandboxId),
            Env = ["PATH=" + SpawnOptions.DefaultPath],
            Fds = pipes.ChildDescriptors,
            NewSession = true,

            // Not in the sandbox's cgroup, so a reclaim would not find it: one that outlived us would make a sandbox that belongs to nobody.
            ParentDeathSignal = Signals.SIGKILL,
            CgroupDirectories = engine.IgnoresCgroups ? cgroup.Directories : null,
        };
        var hides = engine.RefusesHybrid && hierarchies.Hybrid;
        ChildProcess Start()
        {
            if (hides)
            {
                EngineView.HideUnifiedHierarchy(hierarchies);
            }

            if (spec.Network.NamespacePath is { } place && engine.ReadsInterfacesAtStart)
            {
                NetworkView.HideMachineSettings(place);
            }

            return ChildProcess.Start(program with { CallerStays = true });
        }

        launcher = mapped is not null ? mapped.Run(Start, static engine => engine.Exited)
            : shared is not null ? shared.Run(Start, static engine => engine.Exited)
            : hides || spec.Network.NamespacePath is not null ? EngineView.Run(Start, static engine => engine.Exited)
            : ChildProcess.Start(program);
        pipes.CloseChildEnds();

        var exit = await launcher.Exited.WaitAsync(image is null ? StartDeadline : RestoreDeadline, cancellationToken).ConfigureAwait(false);
        if (exit.Code != 0)
        {
            // Its last words arrive with or just before its end.
            await console.Completed.WaitAsync(TimeSpan.FromMilliseconds(200), cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw new IOException($"{engine.Name} ended with {(exit.Signal is { } signal ? Signals.Name(signal) : $"code {exit.Code}")}");
        }

        var pid = int.Parse(await File.ReadAllTextAsync(pidFile, cancellationToken).ConfigureAwait(false), CultureInfo.InvariantCulture);
        if (spec.Network.Attachment is { } late && !engine.ReadsInterfacesAtStart)
        {
            // Into the namespace the engine made: it belongs to the container's own user namespace, so that the container's sysfs can be mounted. Nothing runs
            // inside but our agent, which starts nothing before it is configured.
            Ledger.Add(new LedgerEntry(LedgerKind.Link, late.Port));
            SandboxInterface.Attach(late, string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/ns/net"));
        }

        oomKillsSeen = cgroup.OomKills();
        initExited = Reaper.WatchAdopted(pid);
        if (image is not null && spec.NewMachineId is not null)
        {
            // A saved sandbox keeps the host name it had; another sandbox made from it has its own.
            await memory!.RenameAsync(spec.Hostname ?? spec.Name, cancellationToken).ConfigureAwait(false);
        }

        return new LaunchedAgent(pid, initExited);
    }

    /// <inheritdoc/>
    protected override async Task KillAsync(TimeSpan deadline, CancellationToken cancellationToken)
    {
        // The engine program and its helpers first, so that they make nothing new; they share its session's process group.
        if (launcher is { Exited.IsCompleted: false } starting)
        {
            starting.SignalGroup(Signals.SIGKILL);
            starting.Signal(Signals.SIGKILL);
            await starting.Exited.WaitAsync(deadline, cancellationToken).ConfigureAwait(false);
        }

        if (cgroup is not null)
        {
            await cgroup.KillAsync(deadline, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    protected override async Task ReleaseAsync()
    {
        memory?.Dispose();

        // Its own deadlines bound it; there is no one left to cancel it.
        await Reclaim.RunAsync(Ledger, CancellationToken.None).ConfigureAwait(false);
    }

    private async Task UndoCheckpointAsync(bool freeze)
    {
        // Whoever asked: the sandbox must go on. One that cannot has ended, or its end is near.
        if (saved)
        {
            await memory!.GoOnAsync(CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            saved = false;
        }

        ContinueConnection();
        if (freeze)
        {
            await PauseAsync(CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <inheritdoc/>
    protected override (string Reason, string Message) Explain(ChildExit exit)
    {
        var how = exit.Signal is { } signal ? $"was killed by {Signals.Name(signal)}" : exit.Code is { } code ? $"exited with code {code}" : "ended";
        if (exit.Signal == Signals.SIGKILL && cgroup?.OomKills() > oomKillsSeen)
        {
            return ("oom", "the sandbox's init was killed because the sandbox ran out of memory");
        }

        return engine.Name == "runsc" && exit.Code is null
            ? ("engine_died", $"the gVisor sandbox process {how}")
            : ("guest_exited", $"the sandbox's init {how}");
    }
}
