using System.Text;
using Vivarium.Guest.Exec;
using Vivarium.Guest.Init;
using Vivarium.Guest.Ports;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Control;

/// <summary>What the messages of the control port do.</summary>
internal sealed class ControlActions(GuestContext context, Action<string> shutdown)
{
    private static readonly string[] Capabilities = ["exec", "pty", "attach", "stats", "processes", "quiesce", "resumed", "restart", "oom", "files", "watch", "streams", "forward", "listeners"];
    private const long FullBelowBytes = 64 * 1024;

    private static readonly TimeSpan SyncDeadline = TimeSpan.FromSeconds(30);

    /// <summary>The state machine the host sees.</summary>
    public Lifecycle Lifecycle { get; } = new();

    /// <summary>Secrets.</summary>
    public SecretStore Secrets { get; } = new(Path.Combine(context.RunDirectory, "secrets"));

    /// <summary>Mounts.</summary>
    public GuestMounts Mounts { get; } = new(context.IsInit);

    /// <summary>Checks the host's token and answers with ours.</summary>
    public HelloPayload Hello(TokenGate gate, HelloPayload hello)
    {
        if (!gate.TryOpen(hello.Token))
        {
            throw new VivariumException(ErrorCode.Unauthenticated, "the token is not this sandbox's");
        }

        if (hello.Protocol < 1)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"protocol {hello.Protocol} does not exist");
        }

        context.Oom.HostPushes = hello.Capabilities?.Contains(OomPayload.Capability) == true;
        return new HelloPayload
        {
            Protocol = Math.Min(hello.Protocol, HelloPayload.CurrentProtocol),
            Version = GuestVersion.Text,
            Token = hello.Token,
            Capabilities = Capabilities,
            BootId = context.BootId,
        };
    }

    /// <summary>Answer to <c>get_health</c>. Looks at what can be wrong now: nothing is polled in between.</summary>
    public HealthPayload Health()
    {
        const string Disk = "disk";
        var root = new DriveInfo("/");
        if (root.IsReady && root.AvailableFreeSpace < FullBelowBytes)
        {
            Lifecycle.Trouble(Disk, $"the root file system is full: {root.AvailableFreeSpace} bytes left");
        }
        else
        {
            Lifecycle.Mended(Disk);
        }

        return new HealthPayload
        {
            State = Lifecycle.State,
            UptimeSeconds = (long)TimeProvider.System.GetElapsedTime(context.StartTimestamp).TotalSeconds,
        };
    }

    /// <summary>Answer to <c>stats</c>.</summary>
    public GuestStats Stats() => GuestStatistics.Read(context);

    /// <summary>Answer to <c>processes</c>.</summary>
    public ProcessesPayload Processes() => new() { Processes = [.. context.Processes.All().Select(static process => process.Describe())] };

    /// <summary>Answer to <c>listeners</c>.</summary>
    public static Task<ListenersPayload> ListenersAsync() => Listeners.ListenerReport.ReadAsync();

    /// <summary>Keeps the text of a configuration file on tmpfs, readable by root: it may hold what others should not read.</summary>
    public void SetConfig(SetConfigPayload payload)
    {
        var path = Path.Combine(context.RunDirectory, "config");
        var temporary = path + ".new";
        File.Delete(temporary);
        using (var file = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            file.Write(Encoding.UTF8.GetBytes(payload.Content));
        }

        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Adds an SSH key.</summary>
    public void InjectSshKey(InjectSshKeyPayload payload)
    {
        if (!context.IsInit)
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, "this runtime shares the machine's users; their SSH keys are not changed");
        }

        SshKeys.Add(context.Users, payload);
    }

    /// <summary>Applies the set-up message: mounts, secrets, environment, clock, network, in this order; then the guest is ready.</summary>
    public Task ConfigureAsync(ConfigurePayload payload)
    {
        foreach (var mount in payload.Mounts ?? [])
        {
            Mounts.Make(mount);
        }

        foreach (var secret in payload.Secrets ?? [])
        {
            Secrets.Put(secret);
        }

        foreach (var (name, value) in payload.Env ?? new Dictionary<string, string>())
        {
            ProcessEnvironment.Checked(name, value);
        }

        if (payload.DefaultUser is { } user)
        {
            context.Users.Resolve(user);
        }

        // On a shared machine (runtime direct) the trust store is its owner's.
        var authorities = context.IsInit ? payload.CaCertificates : null;
        if (context.IsInit)
        {
            TrustStore.Apply(authorities);
        }

        context.Settings = new GuestSettings
        {
            Env = WithAuthorities(payload.Env ?? context.Settings.Env, authorities),
            DefaultUser = payload.DefaultUser ?? context.Settings.DefaultUser,
            DefaultCwd = payload.DefaultCwd ?? context.Settings.DefaultCwd,
        };
        MachineIdentity.Apply(context, payload.Hostname, payload.Nameservers, payload.UnixTimeMs);
        context.Processes.ForgetEnded();
        Lifecycle.Enter("ready", "configured");
        return Task.CompletedTask;
    }

    private static IReadOnlyDictionary<string, string> WithAuthorities(IReadOnlyDictionary<string, string> own, string? authorities) => authorities is null
        ? own
        : own.Concat(TrustStore.Variables.Where(variable => !own.ContainsKey(variable.Key))).ToDictionary(StringComparer.Ordinal);

    /// <summary>Signals a process or its tree.</summary>
    public async Task KillProcessAsync(KillProcessPayload payload, CancellationToken cancellationToken)
    {
        if (payload.Signal is < 1 or > 64)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"{payload.Signal} is not a signal; it must be 1 to 64");
        }

        var process = context.Processes.Find(payload.Pid, payload.Tag);
        if (payload.Tree ?? true)
        {
            await process.SignalTreeAsync(payload.Signal).WaitAsync(cancellationToken);
        }
        else if (process.Exited.IsCompleted)
        {
            throw new VivariumException(ErrorCode.NotFound, $"process {process.Pid} has ended already", reason: "no_such_process");
        }
        else
        {
            process.SignalLeader(payload.Signal);
        }
    }

    /// <summary>Before a snapshot: nothing new is started, and what is written is on its way to disk.</summary>
    public async Task QuiesceAsync(CancellationToken cancellationToken)
    {
        context.Processes.RefusedBecause = "a snapshot is being taken";
        try
        {
            // sync(2) can take long on a slow disk; it gets a thread of its own and a deadline.
            await Task.Factory.StartNew(Io.Libc.Sync, cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)
                .WaitAsync(SyncDeadline, TimeProvider.System, cancellationToken);
        }
        catch
        {
            context.Processes.RefusedBecause = null;
            throw;
        }
    }

    /// <summary>After it.</summary>
    public void Thaw() => context.Processes.RefusedBecause = null;

    /// <summary>After a restore or fork: the machine gets a time, random numbers and an identity of its own.</summary>
    public void Resumed(TokenGate gate, ResumedPayload payload)
    {
        if (payload.ForgetSecrets)
        {
            Secrets.Clear();
        }

        MachineIdentity.Apply(context, payload.Hostname, payload.Nameservers, payload.UnixTimeMs);
        MachineIdentity.Renew(context, payload.MachineId, payload.Entropy);
        context.BootId = payload.BootId ?? context.BootId;
        if (payload.Token is { Length: > 0 } token)
        {
            gate.Replace(token);
        }

        Thaw();
    }

    /// <summary>The host saw the out-of-memory killer strike.</summary>
    public void OnOom(OomPayload payload) => context.Oom.OnPushed(payload.Kills);

    /// <summary>Ends the sandbox; called after the answer has been sent.</summary>
    public void Shutdown(string reason) => shutdown(reason);
}
