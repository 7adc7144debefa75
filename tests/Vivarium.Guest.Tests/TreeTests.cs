using System.Text.Json;
using Vivarium.Guest.Tests.Harness;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests;

/// <summary>Whole trees: timeouts and kills leave nobody, zombies are collected, disconnection does what it was told to.</summary>
public abstract class TreeTests(string engine) : IAsyncLifetime
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(10);

    private SandboxFixture _sandbox = null!;

    private GuestInstance Guest => _sandbox.Guest;

    public async ValueTask InitializeAsync() => _sandbox = await SandboxFixture.StartAsync(engine);

    public ValueTask DisposeAsync() => _sandbox.DisposeAsync();

    [Theory]
    [InlineData("sleep 61.{0} & sleep 61.{0}")]
    [InlineData("setsid sleep 61.{0} & sleep 61.{0}")]
    [InlineData("(setsid sh -c 'sleep 61.{0} & sleep 61.{0}' &) ; sleep 61.{0}")]
    [InlineData("(setsid setsid sleep 61.{0} &) ; (trap '' TERM HUP; sleep 61.{0} & sleep 61.{0})")]
    public async Task A_timeout_takes_the_whole_tree(string script)
    {
        var mark = Mark();
        var exec = await ExecConnection.RunAsync(Guest, new ExecRequest
        {
            Argv = ["sh", "-c", string.Format(null, script, mark)],
            TimeoutMs = 700,
        });
        Assert.True(exec.Exit!.TimedOut);
        Assert.Equal(Signals.SIGKILL, exec.Exit.Signal);
        Assert.InRange(exec.Exit.DurationMs!.Value, 600, 5000);
        await NobodyIsLeftAsync(mark);
    }

    [Fact]
    public async Task A_daemon_without_its_environment_is_found_too()
    {
        Assert.SkipWhen(engine == "runsc", "gVisor keeps no mark besides the environment");
        var mark = Mark();
        var exec = await ExecConnection.RunAsync(Guest, new ExecRequest
        {
            Argv = ["sh", "-c", $"(env -i setsid sh -c 'sleep 61.{mark} & exit' &); sleep 61.{mark}"],
            TimeoutMs = 700,
        });
        Assert.True(exec.Exit!.TimedOut);
        await NobodyIsLeftAsync(mark);
    }

    [Fact]
    public async Task A_kill_takes_the_whole_tree_by_tag()
    {
        var mark = Mark();
        await using var exec = await ExecConnection.OpenAsync(Guest, new ExecRequest { Argv = ["sh", "-c", $"(setsid sleep 61.{mark} &); echo up; sleep 61.{mark}"], Tag = "tree" });
        await exec.UntilAsync("up");
        var answer = await Guest.AskAsync(ControlLine.Of(ControlType.KillProcess, new KillProcessPayload { Tag = "tree", Signal = 9 }, GuestJson.Default.KillProcessPayload));
        Assert.Contains("\"ok\":true", answer, StringComparison.Ordinal);
        await exec.FinishAsync();
        Assert.Equal(9, exec.Exit!.Signal);
        await NobodyIsLeftAsync(mark);
    }

    [Fact]
    public async Task Disconnecting_leaves_a_process_running_unless_told_otherwise()
    {
        var mark = Mark();
        var staying = await ExecConnection.OpenAsync(Guest, new ExecRequest { Argv = ["sleep", $"61.{mark}"], Tag = "staying" });
        await staying.DisposeAsync();
        var going = await ExecConnection.OpenAsync(Guest, new ExecRequest { Argv = ["sh", "-c", $"trap '' HUP; setsid sleep 62.{mark} & sleep 62.{mark}"], KillOnDisconnect = true });
        await going.DisposeAsync();
        await NobodyIsLeftAsync($"62.{mark}");
        Assert.Equal("1", await CountAsync($"61.{mark}"));
        await Guest.AskAsync(ControlLine.Of(ControlType.KillProcess, new KillProcessPayload { Tag = "staying", Signal = 9 }, GuestJson.Default.KillProcessPayload));
        await NobodyIsLeftAsync(mark);
    }

    [Fact]
    public async Task Orphans_are_collected()
    {
        await ExecConnection.ShellAsync(Guest, "for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.1 &) ; done; exit 0");
        await Eventually(async () =>
        {
            var zombies = await ExecConnection.ShellAsync(Guest, $"cat /proc/[0-9]*/stat 2>/dev/null | grep ') Z {(_sandbox.IsIsolated ? 1 : Guest.Pid)} ' | wc -l");
            return zombies.Stdout.Trim() == "0";
        });
    }

    [Fact]
    public async Task The_process_list_shows_running_and_ended()
    {
        await ExecConnection.RunAsync(Guest, new ExecRequest { Argv = ["sh", "-c", "exit 9"], Tag = "ended" });
        await using var exec = await ExecConnection.OpenAsync(Guest, new ExecRequest { Argv = ["sh", "-c", "sleep 30 & sleep 30; true"], Tag = "running", KillOnDisconnect = true });
        await Eventually(async () =>
        {
            var answer = await Guest.AskAsync("""{"type":"processes"}""");
            using var json = JsonDocument.Parse(answer);
            var list = json.RootElement.GetProperty("payload").Deserialize(GuestJson.Default.ProcessesPayload)!.Processes;
            var running = list.First(static process => process.Tag == "running");
            var ended = list.First(static process => process.Tag == "ended");
            Assert.Equal("running", running.Status);
            Assert.Equal(1, running.Attached);
            Assert.Equal("exited", ended.Status);
            Assert.Equal(9, ended.Exit!.Code);
            return running.TreeSize == 3;
        });
    }

    private static string Mark() => $"{Random.Shared.Next(100_000, 999_999)}{Environment.ProcessId}";

    /// <summary>Processes that are a sleep of this length now.</summary>
    private async Task<string> CountAsync(string mark)
    {
        var exec = await ExecConnection.ShellAsync(
            Guest, $"for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f; echo; done 2>/dev/null | grep -c '^sleep [0-9.]*{mark}'");
        return exec.Stdout.Trim();
    }

    private Task NobodyIsLeftAsync(string mark) => Eventually(async () => await CountAsync(mark) == "0");

    private static async Task Eventually(Func<Task<bool>> condition)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < Wait, "it did not become so in time");
            await Task.Yield();
        }
    }
}

/// <summary>As a plain child of the tests.</summary>
public sealed class DirectTreeTests() : TreeTests("direct");

/// <summary>As the init of a container.</summary>
public sealed class RuncTreeTests() : TreeTests("runc");

/// <summary>As the init under gVisor.</summary>
public sealed class RunscTreeTests() : TreeTests("runsc");
