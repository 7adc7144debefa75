using System.Security.Cryptography;
using System.Text;
using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Probing;
using Vivarium.TestKit;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Tests.Harness;

/// <summary>One sandbox of a test: its directories, its runtime, and what a host does first (hello, configure).</summary>
internal sealed class RuntimeRig : IAsyncDisposable
{
    private readonly TempDir directory = new();
    private readonly LeakCheck leaks;
    private ControlClient? control;

    private RuntimeRig(string engine, ProbedEngine? probed, string agent)
    {
        Reaper.BecomeSubreaper();
        Id = RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz0123456789", 20);
        leaks = LeakCheck.Begin(new LeakScope { Process = false, MountsBelow = [directory.Path], CgroupRoot = TestCgroup.Root, ProcessesMentioning = Id });
        Spec = new SupervisorSpec
        {
            Protocol = SupervisorMethod.Protocol,
            SandboxId = Id,
            Name = "conformance",
            Runtime = "container",
            Engine = engine,
            EnginePath = probed?.Info.Path ?? "",
            EngineOptions = probed?.Options,
            GuestAgentPath = agent,
            RootPath = TestRoot.Make(directory["root"]),
            LogDirectory = directory.Dir("log"),
            Resources = new ResourceSpec { Cpus = 1, MemoryBytes = 256 * 1024 * 1024, Pids = 256 },
            Network = new NetworkSpec { Mode = "none" },
            CgroupPath = $"{TestCgroup.Root}/{Id}",
        };
        StateDirectory = directory.Dir("state");
    }

    public string Id { get; }

    public SupervisorSpec Spec { get; set; }

    public string StateDirectory { get; }

    public string Token { get; private set; } = RandomNumberGenerator.GetHexString(32, lowercase: true);

    public MemoryStream Console { get; } = new();

    public ISandboxRuntime Runtime { get; private set; } = null!;

    public ControlClient Control => control ?? throw new InvalidOperationException("say hello first");

    public RuntimeStartOptions Options => new() { Spec = Spec, StateDirectory = StateDirectory, Token = Token, Console = Console };

    public string File(string name) => directory[name];

    /// <summary>A rig whose runtime has not been started.</summary>
    public static async Task<RuntimeRig> NewAsync(string engine, ProbedEngine? probed, Func<SupervisorSpec, SupervisorSpec>? change = null)
    {
        var rig = new RuntimeRig(engine, probed, await Programs.GuestAsync());
        rig.Spec = change?.Invoke(rig.Spec) ?? rig.Spec;
        rig.Runtime = SandboxRuntimes.Create(rig.Spec);
        return rig;
    }

    public async Task StartAsync()
    {
        await Runtime.StartAsync(Options, CancellationToken.None);
        await HelloAsync();
    }

    public async Task HelloAsync()
    {
        control = new ControlClient(await Runtime.ConnectAsync(GuestPort.Control, CancellationToken.None));
        await control.HelloAsync(new HelloPayload { Protocol = 1, Version = "test", Token = Token }, TimeSpan.FromSeconds(30), CancellationToken.None);
        await control.ConfigureAsync(new ConfigurePayload(), TimeSpan.FromSeconds(30), CancellationToken.None);
    }

    /// <summary>Ends the runtime; a restore may follow.</summary>
    public async Task EndAsync()
    {
        if (control is not null)
        {
            await control.DisposeAsync();
            control = null;
        }

        await Runtime.DisposeAsync();
    }

    /// <summary>Brings back what a directory holds, with another token than it was saved with, and returns what the guest said to the old one.</summary>
    public async Task RestoreAsync(string saved, string savedToken, Func<SupervisorSpec, SupervisorSpec>? change = null)
    {
        Spec = change?.Invoke(Spec) ?? Spec;
        Runtime = SandboxRuntimes.Create(Spec);
        Token = RandomNumberGenerator.GetHexString(32, lowercase: true);
        await Runtime.RestoreAsync(Options, saved, CancellationToken.None);
        control = new ControlClient(await Runtime.ConnectAsync(GuestPort.Control, CancellationToken.None));
        var wait = TimeSpan.FromSeconds(30);
        await Assert.ThrowsAsync<Wire.Errors.VivariumException>(() => control.HelloAsync(new HelloPayload { Protocol = 1, Version = "test", Token = Token }, wait, CancellationToken.None));
        await control.HelloAsync(new HelloPayload { Protocol = 1, Version = "test", Token = savedToken }, wait, CancellationToken.None);
        await control.RequestAckAsync(
            ControlType.Resumed,
            new ResumedPayload { Token = Token, BootId = "restored", UnixTimeMs = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(), MachineId = Spec.NewMachineId },
            GuestJson.Default.ResumedPayload,
            wait,
            CancellationToken.None);
        var again = await control.HelloAsync(new HelloPayload { Protocol = 1, Version = "test", Token = Token }, wait, CancellationToken.None);
        Assert.Equal("restored", again.BootId);
    }

    /// <summary>Runs a command and returns how it ended and what it said.</summary>
    public async Task<(ExecControl Exit, string Output)> RunAsync(params string[] argv)
    {
        var stream = await Runtime.ConnectAsync(GuestPort.Exec, CancellationToken.None);
        await using var process = await ExecClient.StartAsync(stream, new ExecRequest { Argv = argv }, CancellationToken.None);
        using var output = new MemoryStream();
        var exit = await process.CopyOutputAsync(output, output, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(60));
        return (exit, Encoding.UTF8.GetString(output.ToArray()));
    }

    public Task<(ExecControl Exit, string Output)> ShellAsync(string script) => RunAsync("/bin/sh", "-c", script);

    public async ValueTask DisposeAsync()
    {
        if (control is not null)
        {
            await control.DisposeAsync();
        }

        await Runtime.DisposeAsync();
        await leaks.AssertNothingNewAsync();
        await Console.DisposeAsync();
        directory.Dispose();
    }
}
