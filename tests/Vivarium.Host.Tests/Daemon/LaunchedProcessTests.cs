using System.Net.Sockets;
using System.Text;
using Vivarium.Host.Tests.Snapshots;
using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Daemon;

/// <summary>Launched processes: their ids, statuses, logs, ports and ends.</summary>
[Collection(DaemonTests.Name)]
public sealed class LaunchedProcessTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Theory]
    [InlineData("container")]
    [InlineData("gvisor")]
    public async Task From_launch_to_end_with_logs_signals_and_start_errors(string runtime)
    {
        await using var daemon = await TestDaemon.StartAsync("VIVARIUM_PROCESSES_KEEP=3");
        await using var client = await daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "box", Runtime = runtime, Env = new Dictionary<string, string> { ["FROM"] = "sandbox" } }, None);
        var launched = await client.LaunchAsync(
            new LaunchProcessParams { Ref = "box", Binary = "sh", Args = ["-c", "echo $FROM $MINE $(pwd); echo bad >&2; sleep 0.3; env | grep -c VIVARIUM; exit 3"], Env = new Dictionary<string, string> { ["MINE"] = "own" }, Cwd = "/tmp" }, None);
        Assert.Matches("^proc-[a-z0-9]{20}$", launched.Id);
        Assert.Equal((ProcessStatus.Running, null), (launched.Status, launched.Tag));
        var listed = Assert.Single((await client.ProcessesAsync("box", None)).Processes);
        Assert.Equal((launched.Id, launched.Pid, "/tmp", "root"), (listed.Id, listed.Pid, listed.Cwd, listed.User));

        // Followed to its end, then its code; nothing of the host's environment.
        var text = new StringBuilder();
        for (var (offset, ended) = (0L, false); !ended;)
        {
            var piece = await client.LogsAsync(new LogsParams { Ref = "box", Id = launched.Id, Offset = offset, WaitMs = 10_000 }, None);
            text.Append(Encoding.UTF8.GetString(Convert.FromBase64String(piece.Data)));
            (offset, ended) = (piece.NextOffset, piece.Ended);
        }

        foreach (var line in new[] { "stdout\",\"d\":\"sandbox own /tmp\\n", "stderr\",\"d\":\"bad\\n", "stdout\",\"d\":\"0\\n" })
        {
            Assert.Contains(line, text.ToString(), StringComparison.Ordinal);
        }

        var over = await client.WaitProcessAsync(new ProcessParams { Ref = "box", Id = launched.Id! }, None);
        Assert.Equal((ProcessStatus.Exited, 3, null), (over.Status, over.Exit?.Code, over.Exit?.Signal));
        Assert.True(over.EndedUnixMs >= over.StartedUnixMs);

        // A signal to it alone, a kill to the tree; both of one that has ended are fine, of one that never was not.
        var tree = await client.LaunchAsync(new LaunchProcessParams { Ref = "box", Binary = "sh", Args = ["-c", "trap 'echo hup' HUP; (setsid sleep 456 &); sleep 456 & while :; do wait; sleep 0.05; done"] }, None);
        Assert.Equal(ProcessStatus.Running, (await client.WaitProcessAsync(new ProcessParams { Ref = "box", Id = tree.Id!, WaitMs = 200 }, None)).Status);
        await client.SignalAsync(new KillParams { Ref = "box", Id = tree.Id, Signal = 1 }, None);
        await Eventually.True(async () => Encoding.UTF8.GetString(Convert.FromBase64String((await client.LogsAsync(new LogsParams { Ref = "box", Id = tree.Id }, None)).Data)).Contains("hup", StringComparison.Ordinal));
        Assert.Equal(ProcessStatus.Running, (await client.ProcessAsync(new ProcessParams { Ref = "box", Id = tree.Id! }, None)).Status);
        await client.KillAsync(new KillParams { Ref = "box", Id = tree.Id, Signal = 9 }, None);
        Assert.Equal(9, (await client.WaitProcessAsync(new ProcessParams { Ref = "box", Id = tree.Id! }, None)).Exit?.Signal);
        await Eventually.True(async () => !(await daemon.ShAsync("box", "ps")).Contains("sleep 456", StringComparison.Ordinal));
        await client.KillAsync(new KillParams { Ref = "box", Id = tree.Id }, None);
        Assert.Equal("no_such_process", (await Assert.ThrowsAsync<VivariumException>(() => client.KillAsync(new KillParams { Ref = "box", Id = "proc-" + new string('x', 20) }, None))).Reason);

        // What could not be started is told at once, and is remembered with why.
        Assert.Equal("command_not_found", (await Assert.ThrowsAsync<VivariumException>(() => client.LaunchAsync(new LaunchProcessParams { Ref = "box", Binary = "no-such-program" }, None))).Reason);
        var failed = Assert.Single((await client.ProcessesAsync("box", None)).Processes, static p => p.Error is not null);
        Assert.Equal((ProcessStatus.Exited, "command_not_found", 0), (failed.Status, failed.Error!.Reason, failed.Pid));
        foreach (var bad in new[]
        {
            new LaunchProcessParams { Ref = "box" },
            new LaunchProcessParams { Ref = "box", Binary = "true", ExposedPort = 70000 },
            new LaunchProcessParams { Ref = "box", Binary = "true", Request = new ExecRequest { Argv = ["true"] } },
            new LaunchProcessParams { Ref = "box", Request = new ExecRequest { Argv = ["true"], Tag = "proc-abc" } },
        })
        {
            Assert.Equal(ErrorCode.InvalidArgument, (await Assert.ThrowsAsync<VivariumException>(() => client.LaunchAsync(bad, None))).Code);
        }

        // Three ends are remembered here; the oldest goes with its log.
        for (var i = 0; i < 2; i++)
        {
            var quick = await client.LaunchAsync(new LaunchProcessParams { Ref = "box", Binary = "echo", Args = ["quick"] }, None);
            Assert.Equal(0, (await client.WaitProcessAsync(new ProcessParams { Ref = "box", Id = quick.Id! }, None)).Exit?.Code);
        }

        var left = (await client.ProcessesAsync("box", None)).Processes.Where(static p => p.Id is not null).ToArray();
        Assert.Equal(3, left.Length);
        Assert.DoesNotContain(left, p => p.Id == launched.Id);
        Assert.Empty(Directory.EnumerateFiles(daemon.State, launched.Id + "*", SearchOption.AllDirectories));

        await client.PauseAsync("box", None);
        Assert.Equal("not_running", (await Assert.ThrowsAsync<VivariumException>(() => client.LaunchAsync(new LaunchProcessParams { Ref = "box", Binary = "true" }, None))).Reason);
    }

    [Theory]
    [InlineData("container")]
    [InlineData("gvisor")]
    public async Task An_exposed_port_is_reached_for_as_long_as_its_process_runs(string runtime)
    {
        await using var daemon = await TestDaemon.StartAsync("VIVARIUM_PROCESSES_ADVERTISE=127.0.0.3");
        await using var client = await daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "box", Runtime = runtime }, None);
        await client.CreateAsync(new CreateParams { Name = "other", Runtime = runtime }, None);

        // The same port in two sandboxes: two addresses, both answered by whom they belong to.
        var servers = new List<ProcessInfo>();
        foreach (var name in new[] { "box", "other" })
        {
            servers.Add(await client.LaunchAsync(new LaunchProcessParams { Ref = name, Binary = "nc", Args = ["-ll", "-p", "8080", "-e", "echo", name], ExposedPort = 8080 }, None));
        }

        Assert.Equal(2, servers.Select(static s => s.Address).Distinct().Count());
        foreach (var (server, name) in servers.Zip(["box", "other"]))
        {
            Assert.StartsWith("127.0.0.3:", server.Address, StringComparison.Ordinal);
            await Eventually.True(async () => await ReadAsync(server.Address!) == name + "\n", TimeSpan.FromSeconds(20));
        }

        // The next daemon knows it and takes its port back when it ends.
        await daemon.KillAsync();
        await daemon.StartAgainAsync();
        await using var again = await daemon.ConnectAsync();
        var known = await again.ProcessAsync(new ProcessParams { Ref = "box", Id = servers[0].Id! }, None);
        Assert.Equal((ProcessStatus.Running, servers[0].Address), (known.Status, known.Address));
        Assert.Equal("box\n", await ReadAsync(known.Address!));
        await again.KillAsync(new KillParams { Ref = "box", Id = known.Id, Signal = 9 }, None);
        var over = await again.WaitProcessAsync(new ProcessParams { Ref = "box", Id = known.Id! }, None);
        Assert.Equal((ProcessStatus.Exited, 9, null), (over.Status, over.Exit?.Signal, over.Address));
        await Eventually.True(async () => (await daemon.GetAsync("box")).Ports is null);
        await Assert.ThrowsAnyAsync<SocketException>(() => ReadAsync(known.Address!));

        // It ends while no daemon runs; and with its sandbox.
        var second = await again.LaunchAsync(new LaunchProcessParams { Ref = "box", Binary = "sh", Args = ["-c", "while [ ! -e /root/stop ]; do sleep 0.05; done; exit 5"], ExposedPort = 9090 }, None);
        await daemon.RunAsync("box", "sh", "-c", "(sleep 0.5; touch /root/stop) > /dev/null 2>&1 &");
        await daemon.KillAsync();
        await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System);
        await daemon.StartAgainAsync();
        await using var third = await daemon.ConnectAsync();
        await Eventually.True(async () => (await daemon.GetAsync("box")).Ports is null, TimeSpan.FromSeconds(20));
        Assert.Equal(5, (await third.WaitProcessAsync(new ProcessParams { Ref = "box", Id = second.Id! }, None)).Exit?.Code);
        await third.StopAsync(new StopSandboxParams { Ref = "other", Force = true }, None);
        var ended = await third.WaitProcessAsync(new ProcessParams { Ref = "other", Id = servers[1].Id!, WaitMs = 20_000 }, None);
        Assert.Equal((ProcessStatus.Exited, "sandbox_ended"), (ended.Status, ended.Error?.Reason));
        await Eventually.True(async () => (await daemon.GetAsync("other")).Ports is null, TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task A_launch_that_meets_a_destroy_leaves_nothing()
    {
        await using var daemon = await TestDaemon.StartAsync();
        await using var client = await daemon.ConnectAsync();
        for (var round = 0; round < 5; round++)
        {
            await client.CreateAsync(new CreateParams { Name = "doomed" }, None);
            var launches = Enumerable.Range(0, 4).Select(i => client.LaunchAsync(new LaunchProcessParams { Ref = "doomed", Binary = "sleep", Args = ["1000"], ExposedPort = 8000 + i }, None)).ToArray();
            await Task.Delay(TimeSpan.FromMilliseconds(round * 5), TimeProvider.System);
            await daemon.DestroyAsync("doomed");
            await Task.WhenAll(launches).ContinueWith(static _ => { }, TaskScheduler.Default);
            await daemon.EmptyAsync();
        }

        await Eventually.True(() => Directory.GetFiles(Path.Combine(daemon.State, "processes")).Length == 0);
    }

    private static async Task<string> ReadAsync(string address)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(System.Net.IPEndPoint.Parse(address));
        using var reader = new StreamReader(client.GetStream());
        try
        {
            return await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(10));
        }
        catch (IOException)
        {
            return "reset";
        }
    }
}
