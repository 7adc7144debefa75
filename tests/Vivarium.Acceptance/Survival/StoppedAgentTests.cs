using System.Globalization;
using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Survival;

/// <summary>
/// Root in a sandbox can stop the sandbox's own agent (<c>hold-agent.c</c> traces it). Whoever asks something of it hears so in seconds, with a code of its own, and the
/// sandbox can be looked at, stopped, started and removed.
/// </summary>
[Collection(TinyCollection.Name)]
public sealed class StoppedAgentTests(PrivateDaemon daemon) : VivTest(daemon)
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(25);

    [Fact]
    public async Task Who_asks_an_agent_that_root_inside_has_stopped_hears_so_and_the_sandbox_can_be_ended()
    {
        var program = await CompileAsync();
        await using var stopped = await HeldAsync(program);
        await using var removed = await HeldAsync(program);
        await using var api = await ApiClient.ConnectAsync(Daemon);
        var file = Path.Combine(Daemon.Home, "file");
        await File.WriteAllTextAsync(file, "x");

        // Everything that needs the agent, at once: each says what is wrong.
        var asked = new[]
        {
            Viv.TryAsync("exec", stopped.Id, "--", "true"),
            Viv.TryAsync("exec", "-d", stopped.Id, "--", "true"),
            Viv.TryAsync("cp", file, stopped.Id + ":/root/file"),
            Viv.TryAsync("cp", stopped.Id + ":/etc/passwd", file),
            Viv.TryAsync("ps", stopped.Id),
            Viv.TryAsync("ports", stopped.Id),
        };
        var call = Assert.ThrowsAsync<IOException>(() => api.ExecAsync(stopped.Id, "true"));
        foreach (var answer in await Task.WhenAll(asked))
        {
            answer.MustRefuse("not answer");
            Assert.True(answer.Elapsed < Soon, $"{answer}");
        }

        Assert.Contains("guest_silent", (await call).Message, StringComparison.Ordinal);

        // What does not need it goes on.
        Assert.Equal("running", await stopped.StateAsync());
        await Viv.RunAsync("stats", "--json", stopped.Id);

        // In order, by force, and for good.
        var orderly = Viv.RunAsync("stop", stopped.Id);
        var gone = Viv.RunAsync("rm", "-f", removed.Id);
        await Task.WhenAll(orderly, gone);
        Assert.Equal("stopped", await stopped.StateAsync());
        await Viv.RunAsync("start", stopped.Id);
        Assert.Equal("here\n", (await stopped.ShAsync("echo here")).Stdout);
    }

    private async Task<TestSandbox> HeldAsync(string program)
    {
        var box = await Daemon.CreateAsync("--runtime", "container");
        await Viv.RunAsync("cp", program, box.Id + ":/root/hold-agent");
        // A moment later: the agent has to say first that it has started it.
        await Viv.RunAsync("exec", "-d", "-u", "root", box.Id, "--", "sh", "-c", "sleep 1; exec /root/hold-agent");
        await Eventually.HoldsAsync(
            () => File.Exists(Path.Combine(Daemon.State, "pool/sandboxes", box.Id, "root/held")), TimeSpan.FromSeconds(10), "the agent is stopped");
        return box;
    }

    private async Task<string> CompileAsync()
    {
        var program = Path.Combine(Daemon.Home, string.Create(CultureInfo.InvariantCulture, $"hold-agent-{Environment.ProcessId}"));
        await Tools.RunAsync("gcc", "-O1", "-static", "-o", program, Path.Combine(AppContext.BaseDirectory, "Survival", "hold-agent.c"));
        return program;
    }
}
