using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Vivarium.Runtimes.Probing;
using Vivarium.Runtimes.Tests.Harness;
using Vivarium.TestKit;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Tests.Escape;

/// <summary>One sandbox, baits on the host beside it, and what the probe program in it could and could not do, as root and as an ordinary user.</summary>
internal sealed partial class EscapeRig : IAsyncDisposable
{
    private const int IPC_CREAT = 0x200;
    private const int IPC_RMID = 0;

    private readonly TempDir baits = new();
    private readonly List<Socket> listeners = [];
    private readonly int shmKey = RandomNumberGenerator.GetInt32(1, int.MaxValue);
    private readonly int shm;

    private EscapeRig(RuntimeRig rig)
    {
        Rig = rig;
        baits.Write("secret", "a secret of the host");
        File.SetUnixFileMode(baits["secret"], (UnixFileMode)0b110_110_110);
        Listen(new UnixDomainSocketEndPoint(baits["socket"]));
        File.SetUnixFileMode(baits["socket"], (UnixFileMode)0b111_111_111);
        Listen(new UnixDomainSocketEndPoint($"\0{AbstractName}"));
        shm = ShmGet(shmKey, 4096, IPC_CREAT | 0x1B6);
    }

    public RuntimeRig Rig { get; }

    private string AbstractName => $"vivarium-escape-{Rig.Id}";

    /// <summary>A running sandbox with the probe in it.</summary>
    public static async Task<EscapeRig> StartAsync(ProbedEngine engine, bool userNamespace)
    {
        var rig = await RuntimeRig.NewAsync(engine.Info.Engine, engine, spec => userNamespace ? spec with { IdRange = new IdRange { First = 0x7700_0000, Count = 65_536 } } : spec);
        File.Copy(await CProgram.CompileAsync("escape-probe.c"), Path.Combine(rig.Spec.RootPath, "bin/escape-probe"));
        await rig.StartAsync();
        return new EscapeRig(rig);
    }

    /// <summary>Runs every trial; returns name → verdict and reason. One name may be tried in several ways: the worst verdict counts.</summary>
    public async Task<IReadOnlyDictionary<string, string>> ProbeAsync(string user)
    {
        string[] argv = ["/bin/escape-probe", baits["secret"], baits["socket"], AbstractName, shmKey.ToString(CultureInfo.InvariantCulture), .. Rig.Spec.Engine == "runsc" ? ["virtual"] : Array.Empty<string>()];
        var stream = await Rig.Runtime.ConnectAsync(GuestPort.Exec, CancellationToken.None);
        await using var process = await ExecClient.StartAsync(stream, new ExecRequest { Argv = argv, User = user }, CancellationToken.None);
        using var output = new MemoryStream();
        var exit = await process.CopyOutputAsync(output, output, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(120));
        var text = System.Text.Encoding.UTF8.GetString(output.ToArray());
        Assert.True(exit.Code == 0 && text.Contains("\ndone ", StringComparison.Ordinal), $"the probe did not come to its end (code {exit.Code}, signal {exit.Signal}): {text}");
        Dictionary<string, string> verdicts = [];
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var words = line.Split(' ', 3);
            if (!verdicts.TryGetValue(words[1], out var worst) || !worst.StartsWith("ALLOWED", StringComparison.Ordinal))
            {
                verdicts[words[1]] = $"{words[0]} {words[^1]}";
            }
        }

        return verdicts;
    }

    public async ValueTask DisposeAsync()
    {
        listeners.ForEach(static listener => listener.Dispose());
        _ = ShmCtl(shm, IPC_RMID, 0);
        await Rig.DisposeAsync();
        baits.Dispose();
    }

    private void Listen(UnixDomainSocketEndPoint where)
    {
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listeners.Add(listener);
        listener.Bind(where);
        listener.Listen();
    }

    [LibraryImport("libc", EntryPoint = "shmget", SetLastError = true)]
    private static partial int ShmGet(int key, nuint size, int flags);

    [LibraryImport("libc", EntryPoint = "shmctl", SetLastError = true)]
    private static partial int ShmCtl(int id, int command, nint buffer);
}
