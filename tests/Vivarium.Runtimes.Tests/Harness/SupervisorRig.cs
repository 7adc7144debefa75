using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Vivarium.Linux.IO;
using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Probing;
using Vivarium.TestKit;
using Vivarium.Transport;
using Vivarium.Transport.Guest;
using Vivarium.Transport.Supervisor;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Tests.Harness;

/// <summary>A real supervisor process with a sandbox of its own.</summary>
internal sealed class SupervisorRig : IAsyncDisposable
{
    private readonly TempDir directory = new();
    private readonly LeakCheck leaks;

    private SupervisorRig(ProbedEngine engine, string agent)
    {
        Reaper.BecomeSubreaper();
        Id = RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz0123456789", 20);
        leaks = LeakCheck.Begin(new LeakScope { Process = false, MountsBelow = [directory.Path], CgroupRoot = TestCgroup.Root, ProcessesMentioning = Id });
        RuntimeDirectory = directory.Dir(Id);
        Spec = new SupervisorSpec
        {
            Protocol = SupervisorMethod.Protocol,
            SandboxId = Id,
            Name = "supervised",
            Runtime = "container",
            Engine = engine.Info.Engine,
            EnginePath = engine.Info.Path ?? "",
            EngineOptions = engine.Options,
            GuestAgentPath = agent,
            RootPath = TestRoot.Make(directory["root"]),
            LogDirectory = directory.Dir("log"),
            Resources = new ResourceSpec { Cpus = 1, MemoryBytes = 128 * 1024 * 1024, Pids = 128 },
            Network = new NetworkSpec { Mode = "none" },
            Env = new Dictionary<string, string> { ["FROM_SPEC"] = "yes" },
            CgroupPath = $"{TestCgroup.Root}/{Id}",
        };
    }

    public string Id { get; }

    public SupervisorSpec Spec { get; set; }

    public string RuntimeDirectory { get; }

    public string SocketPath => Path.Combine(RuntimeDirectory, "supervisor.sock");

    public ChildProcess Process { get; private set; } = null!;

    public string FirstLine { get; private set; } = "";

    public static async Task<SupervisorRig> NewAsync(Func<SupervisorSpec, SupervisorSpec>? change = null)
    {
        var rig = new SupervisorRig(await Engines.RequireAsync("runc", static _ => true), await Programs.GuestAsync());
        rig.Spec = change?.Invoke(rig.Spec) ?? rig.Spec;
        return rig;
    }

    public static async Task<SupervisorRig> RunningAsync(Func<SupervisorSpec, SupervisorSpec>? change = null)
    {
        var rig = await NewAsync(change);
        await rig.LaunchAsync();
        await rig.ReachAsync(SupervisorPhase.Running);
        return rig;
    }

    /// <summary>Writes the specification and starts the program; returns when it has said its first line.</summary>
    public async Task LaunchAsync(byte[]? specification = null)
    {
        await File.WriteAllBytesAsync(Path.Combine(RuntimeDirectory, "supervisor.json"), specification ?? JsonSerializer.SerializeToUtf8Bytes(Spec, SupervisorJson.Default.SupervisorSpec));
        var (read, write) = Pipe.Create();
        Process = ChildProcess.Start(new SpawnOptions
        {
            FileName = await Programs.SupervisorAsync(),
            Argv = ["viv-supervisor", RuntimeDirectory],
            Fds = [new FdMapping((int)write.DangerousGetHandle(), 1)],
            NewSession = true,
        });
        write.Dispose();
        await using var output = PollableFd.Take(read);
        using var reader = new StreamReader(output);
        FirstLine = await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(10)) ?? "";
    }

    public Task<SupervisorClient> ClientAsync(Action<SupervisorEvent>? onEvent = null) => SupervisorClient.ConnectAsync(SocketPath, onEvent);

    public async Task<SupervisorStatus> ReachAsync(string phase)
    {
        await using var client = await ClientAsync();
        SupervisorStatus? status = null;
        await Eventually.True(async () => (status = await client.StatusAsync(CancellationToken.None)).Phase == phase, TimeSpan.FromSeconds(30));
        return status!;
    }

    public async Task<(ExecControl Exit, string Output)> RunAsync(ExecRequest request, string? ticket = null)
    {
        var stream = await SupervisorClient.OpenPortAsync(SocketPath, GuestPort.Exec, ticket, CancellationToken.None);
        await using var process = await ExecClient.StartAsync(stream, request, CancellationToken.None);
        using var output = new MemoryStream();
        var exit = await process.CopyOutputAsync(output, output, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(60));
        return (exit, Encoding.UTF8.GetString(output.ToArray()));
    }

    public Task<(ExecControl Exit, string Output)> ShellAsync(string script) => RunAsync(new ExecRequest { Argv = ["/bin/sh", "-c", script] });

    public ExitRecord ReadExit() =>
        JsonSerializer.Deserialize(File.ReadAllBytes(Path.Combine(RuntimeDirectory, "exit.json")), SupervisorJson.Default.ExitRecord)!;

    public string Log(string name) => Path.Combine(Spec.LogDirectory, name);

    public ValueTask<DuplexStream> RawAsync() => Connect();

    public async ValueTask DisposeAsync()
    {
        if (Process is { Exited.IsCompleted: false })
        {
            Process.Signal(Signals.SIGKILL);
            await Process.Exited;
            await Runtimes.Ledger.Reclaim.RunAsync(RuntimeDirectory, CancellationToken.None);
        }

        await leaks.AssertNothingNewAsync();
        directory.Dispose();
    }

    private async ValueTask<DuplexStream> Connect() => await UnixSocketStream.ConnectAsync(SocketPath, "the supervisor", CancellationToken.None);
}
