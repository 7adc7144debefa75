using Vivarium.Linux.Cgroups;
using Vivarium.Linux.IO;
using Vivarium.Linux.Mounts;
using Vivarium.Linux.Namespaces;
using Vivarium.Linux.Processes;
using Vivarium.TestKit;

namespace Vivarium.Linux.Tests.Kit;

/// <summary>The tools of the other tests: a leak check that finds nothing would pass every test.</summary>
public sealed class TestKitTests : IAsyncDisposable
{
    private readonly TempDir temp = new();
    private readonly Cgroup cgroup = new(CgroupLayout.Detect(), $"/vivarium-test-{Guid.NewGuid():N}");

    public async ValueTask DisposeAsync()
    {
        await cgroup.RemoveAsync(TimeSpan.FromSeconds(10), default);
        temp.Dispose();
    }

    [Fact]
    public async Task A_leak_of_each_kind_is_found_and_named()
    {
        cgroup.Create();
        var mark = Guid.NewGuid().ToString("N");
        var check = LeakCheck.Begin(new LeakScope { Process = false, MountsBelow = [temp.Path], CgroupRoot = cgroup.Path, ProcessesMentioning = mark });
        Mount.FileSystem("leak", temp.Dir("m"), "tmpfs");
        NetworkNamespace.Create(temp["net"]);
        cgroup.Child("left").Create();
        var child = ChildProcess.Start(new() { FileName = "sh", Argv = ["sh", "-c", $"sleep 1000; : {mark}"], Env = [$"PATH={SpawnOptions.DefaultPath}"], NewSession = true });
        await Eventually.True(() => check.Difference().Contains(mark));
        var report = check.Difference();
        Assert.Contains($"mount: tmpfs leak on {temp["m"]}", report);
        Assert.Contains($"on {temp["net"]}", report);
        Assert.Contains($"cgroup: {cgroup.Directories[0]}/left", report);
        Assert.Contains(mark, (await Assert.ThrowsAsync<InvalidOperationException>(() => check.AssertNothingNewAsync(TimeSpan.Zero))).Message);

        Mount.Unmount(temp["m"]);
        NetworkNamespace.Remove(temp["net"]);
        await cgroup.Child("left").RemoveAsync(TimeSpan.FromSeconds(10), default);
        child.SignalGroup(Signals.SIGKILL);
        await check.AssertNothingNewAsync();
    }

    [Fact]
    public void Descriptors_and_children_of_the_process_are_found()
    {
        // Other tests run beside this one: only what this test made is asked for.
        var check = LeakCheck.Begin();
        var (read, write) = Pipe.Create();
        var name = $"descriptor: {read.DangerousGetHandle()} ";
        Assert.Contains(name, check.Difference());
        var child = ChildProcess.Start(new() { FileName = "sleep", Argv = ["sleep", "1000"], Env = [$"PATH={SpawnOptions.DefaultPath}"] });
        Assert.Contains($"child: {child.Pid} sleep 1000", check.Difference());
        child.Signal(Signals.SIGKILL);
        read.Dispose();
        write.Dispose();
    }

    [Fact]
    public async Task The_fake_clock_moves_timers_delays_and_periods()
    {
        var clock = new FakeTimeProvider();
        var begin = clock.GetTimestamp();
        var delay = Task.Delay(TimeSpan.FromHours(1), clock, default);
        var ticks = new List<TimeSpan>();
        using var timer = clock.CreateTimer(_ => ticks.Add(clock.GetElapsedTime(begin)), null, TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(20));
        Assert.Equal(2, clock.WaitingTimers);
        clock.Advance(TimeSpan.FromMinutes(59));
        Assert.False(delay.IsCompleted);
        Assert.Equal([10, 30, 50], ticks.Select(t => t.TotalMinutes));
        clock.Advance(TimeSpan.FromMinutes(1));
        await delay.WaitAsync(Eventually.Patience);
        Assert.Equal(TimeSpan.FromHours(1), clock.GetElapsedTime(begin));
    }

    [Fact]
    public async Task Eventually_gives_up_and_says_on_what()
    {
        var tries = 0;
        await Eventually.True(() => ++tries == 3);
        var error = await Assert.ThrowsAsync<TimeoutException>(() => Eventually.True(() => tries < 0, TimeSpan.FromMilliseconds(30)));
        Assert.Contains("tries < 0", error.Message);
    }

    [Fact]
    public void Fuzzing_finds_a_parser_that_breaks()
    {
        var error = Assert.Throws<InvalidOperationException>(() => Fuzz.Text(["a:b", "c"], t => _ = t[t.IndexOf(':') + 1], e => e is FormatException));
        Assert.Contains("seed ", error.Message);
    }
}
