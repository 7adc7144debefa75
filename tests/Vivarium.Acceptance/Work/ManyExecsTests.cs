using System.Globalization;
using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Work;

/// <summary>Many commands: one after another and all at once, with nothing growing.</summary>
[Collection(TinyCollection.Name)]
public sealed class ManyExecsTests(PrivateDaemon daemon) : VivTest(daemon)
{
    [Theory, MemberData(nameof(Runtimes))]
    public async Task Three_hundred_commands_at_once_each_with_its_own_output(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime, "--pids", "2048", "--memory", "512MiB");
        var calls = Enumerable.Range(0, 300).Select(i => Viv.TryAsync(VivCall.Of("exec", box.Id, "--", "sh", "-c", $"echo begin {i}; sleep 1; echo end {i}; exit {i % 100}") with { Timeout = TimeSpan.FromSeconds(120) }));
        var results = await Task.WhenAll(calls);
        for (var i = 0; i < results.Length; i++)
        {
            Assert.Equal($"begin {i}\nend {i}\n", results[i].MustEndWith(i % 100).Stdout);
        }
    }

    /// <summary><c>VIVARIUM_COMMANDS=10000</c> is the long form; the agent alone runs ten thousand in every run (<c>Vivarium.Guest.Tests</c>).</summary>
    [Theory, MemberData(nameof(Runtimes))]
    public async Task Thousands_of_commands_leave_no_trace(string runtime)
    {
        var commands = int.TryParse(Environment.GetEnvironmentVariable("VIVARIUM_COMMANDS"), CultureInfo.InvariantCulture, out var wanted) ? wanted : 1500;
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        await using var api = await ApiClient.ConnectAsync(Daemon);
        int[] pids = [await Daemon.PidAsync(), await box.SupervisorPidAsync()];
        await ExecAsync(api, box, 500);
        var fds = pids.Select(CountFds).ToArray();
        var memory = pids.Select(Resident).ToArray();
        await ExecAsync(api, box, commands);
        Assert.All(pids.Zip(fds), p => Assert.True(CountFds(p.First) <= p.Second + 8, $"open files grew from {p.Second} to {CountFds(p.First)}"));
        Assert.All(pids.Zip(memory), p => Assert.True(Resident(p.First) <= p.Second + (40L << 20), $"memory grew from {p.Second >> 20} to {Resident(p.First) >> 20} MiB"));
        Assert.Equal("ok\n", (await box.ShAsync("echo ok")).Stdout);
    }

    // Eight at a time keep both cores busy without queueing.
    private static async Task ExecAsync(ApiClient api, TestSandbox box, int count)
    {
        var left = count;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            while (Interlocked.Decrement(ref left) >= 0)
            {
                Assert.Equal(0, await api.ExecAsync(box.Id, "true"));
            }
        }));
    }

    private static int CountFds(int pid) => Directory.GetFiles($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/fd").Length;

    private static long Resident(int pid) =>
        long.Parse(File.ReadAllText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize;
}
