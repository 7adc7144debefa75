using System.Text;
using Vivarium.Client;
using Vivarium.Host.Tests.Sessions;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Client;

/// <summary>The typed client of the daemon's own API.</summary>
[Collection(SessionTests.Name)]
public sealed class VivariumClientTests(SessionDaemon shared) : IAsyncLifetime
{
    private VivariumClient client = null!;

    public async ValueTask InitializeAsync() => client = await VivariumClient.ConnectAsync(shared.Daemon.Socket);

    public async ValueTask DisposeAsync()
    {
        await client.DisposeAsync();
        await shared.Daemon.DestroyAllAsync();
    }

    [Fact]
    public async Task Commands_give_all_there_is_to_know()
    {
        var sandbox = await client.CreateAsync(new CreateParams { Name = "commands" });
        Assert.Equal(sandbox.Id, (await client.GetAsync("commands")).Id);
        var good = await sandbox.RunAsync(["sh", "-c", "cat; echo $WHO >&2; pwd"], new CommandOptions { Input = "in\n"u8.ToArray(), Environment = new Dictionary<string, string> { ["WHO"] = "me" }, WorkingDirectory = "/tmp" });
        Assert.Equal((0, "in\n/tmp\n", "me\n", null, false), (good.ExitCode, good.StdoutText, good.StderrText, good.Signal, good.TimedOut));
        Assert.Equal(7, (await sandbox.ShellAsync("exit 7")).ExitCode);
        var killed = await sandbox.ShellAsync("kill -9 $$");
        Assert.Equal((137, 9), (killed.ExitCode, killed.Signal));
        Assert.True((await sandbox.ShellAsync("sleep 30", new CommandOptions { Timeout = TimeSpan.FromMilliseconds(200) })).TimedOut);
        Assert.Equal("command_not_found", (await Assert.ThrowsAsync<VivariumException>(() => sandbox.RunAsync(["no-such-program"]))).Reason);

        // Output while it comes; leaving kills what was started.
        await foreach (var piece in sandbox.StreamAsync(["sh", "-c", "echo first; sleep 60; touch /never"]))
        {
            Assert.Equal("first\n", Encoding.UTF8.GetString(piece.Data.Span));
            break;
        }

        await TestKit.Eventually.True(async () => (await sandbox.ShellAsync("ps | grep -c '[s]leep 60'")).StdoutText.Trim() == "0", TimeSpan.FromSeconds(15));
        var tool = await sandbox.CallToolAsync("bash", ToolArguments.Of(("command", "echo from a tool")), "call-1");
        Assert.Equal("from a tool\n", tool.Content);
        Assert.True((await sandbox.CallToolAsync("bash", ToolArguments.Of(("command", "echo from a tool")), "call-1")).Repeated);
    }

    [Fact]
    public async Task Processes_go_on_by_themselves()
    {
        var sandbox = await client.CreateAsync();
        var started = await sandbox.LaunchAsync("sh", ["-c", "echo hello; exit 4"]);
        var ended = await sandbox.WaitAsync(started.Id!, TimeSpan.FromSeconds(20));
        Assert.Equal((ProcessStatus.Exited, 4), (ended.Status, ended.Exit!.Code));
        await TestKit.Eventually.True(async () => Encoding.UTF8.GetString(Convert.FromBase64String((await sandbox.LogsAsync(started.Id!)).Data)).Contains("\"d\":\"hello\\n\"", StringComparison.Ordinal), TimeSpan.FromSeconds(10));
        var sleeper = await sandbox.LaunchAsync("sleep", ["60"]);
        Assert.Equal(ProcessStatus.Running, (await sandbox.WaitAsync(sleeper.Id!, TimeSpan.Zero)).Status);
        await sandbox.KillAsync(sleeper.Id!, 9);
        Assert.Equal(9, (await sandbox.WaitAsync(sleeper.Id!, TimeSpan.FromSeconds(20))).Exit!.Signal);
        Assert.Contains(await sandbox.ProcessesAsync(), p => p.Id == sleeper.Id);
    }

    [Fact]
    public async Task Files_turns_and_states()
    {
        var sandbox = await client.CreateAsync();
        var bytes = new byte[300_000];
        new Random(7).NextBytes(bytes);
        await sandbox.WriteFileAsync("/deep/er/file", bytes);
        Assert.Equal(bytes, await sandbox.ReadFileAsync("/deep/er/file"));
        Assert.Equal(ErrorCode.NotFound, (await Assert.ThrowsAsync<VivariumException>(() => sandbox.ReadFileAsync("/nothing"))).Code);
        Assert.Equal("turn-0001", (await sandbox.CompleteTurnAsync("one")).Name);
        await sandbox.WriteTextAsync("/deep/er/file", "short");
        Assert.Contains((await sandbox.DiffAsync()).Entries, e => e.Path == "/deep/er/file");
        Assert.Equal("named", (await sandbox.SnapshotAsync("by-name")).Kind);
        Assert.Equal(2, (await sandbox.SnapshotsAsync()).Count);
        var fork = Assert.Single(await sandbox.ForkAsync(snapshot: "by-name"));
        Assert.Equal("short", await fork.ReadTextAsync("/deep/er/file"));
        await sandbox.RollBackAsync("turn-0001");
        Assert.Equal(bytes, await sandbox.ReadFileAsync("/deep/er/file"));
        Assert.Equal(SandboxState.Paused, (await sandbox.PauseAsync()).State);
        Assert.Equal(SandboxState.Running, (await sandbox.ResumeAsync()).State);
        Assert.Equal(SandboxState.Stopped, (await sandbox.StopAsync()).State);
        Assert.Equal(SandboxState.Running, (await sandbox.StartAsync()).State);
        Assert.Equal(2, (await client.ListAsync()).Count);
        await fork.DestroyAsync();
        await fork.DestroyAsync();
        Assert.Equal(sandbox.Id, Assert.Single(await client.ListAsync()).Id);
    }

    [Fact]
    public async Task Events_come_until_the_connection_ends()
    {
        var seen = new List<string>();
        await using var events = client.EventsAsync(after: 0).GetAsyncEnumerator();
        var sandbox = await client.CreateAsync();
        while (await events.MoveNextAsync())
        {
            if (events.Current.SandboxId == sandbox.Id)
            {
                seen.Add(events.Current.Type);
                if (events.Current.Type == "sandbox.running")
                {
                    break;
                }
            }
        }

        Assert.Equal(["sandbox.created", "sandbox.running"], seen);
    }

    [Fact]
    public async Task Nobody_there_is_said_in_a_sentence()
    {
        var refused = await Assert.ThrowsAsync<VivariumException>(() => VivariumClient.ConnectAsync("/nowhere/vivd.sock"));
        Assert.Equal(ErrorCode.Unavailable, refused.Code);
    }
}
