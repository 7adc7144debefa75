using Vivarium.Linux.Cgroups;
using Vivarium.Linux.Mounts;
using Vivarium.Linux.Processes;
using Vivarium.TestKit;

namespace Vivarium.Linux.Tests.Cgroups;

public sealed class CgroupTests : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);
    private readonly CgroupLayout layout = CgroupLayout.Detect();
    private readonly Cgroup root;

    public CgroupTests()
    {
        root = new Cgroup(layout, $"/vivarium-test-{Guid.NewGuid():N}");
    }

    public async ValueTask DisposeAsync() => await root.RemoveAsync(Deadline, default);

    [Fact]
    public async Task A_child_starts_inside_and_is_killed_with_the_group()
    {
        var group = root.Child("a");
        group.Create();
        var child = Start(group, "setsid sleep 1000 & sleep 1000");
        await Eventually.True(() => group.Processes().Count >= 2);
        Assert.Contains(child.Pid, root.Processes());
        await root.RemoveAsync(Deadline, default);
        Assert.Equal(Signals.SIGKILL, (await child.Exited.WaitAsync(Deadline)).Signal);
        Assert.False(root.Exists);
        await root.RemoveAsync(Deadline, default); // again: nothing to do
    }

    [Fact]
    public async Task A_fork_bomb_is_held_and_killed()
    {
        root.Create(new CgroupLimits { Pids = 40 });
        var child = Start(root, "b() { b | b & }; b; sleep 1000");
        await Eventually.True(() => root.Usage().Pids > 20);
        Assert.InRange(root.Usage().Pids!.Value, 20, 40);
        await root.RemoveAsync(Deadline, default);
        await child.Exited.WaitAsync(Deadline);
        Assert.False(root.Exists);
    }

    [Fact]
    public async Task Memory_is_limited_and_the_kill_is_counted()
    {
        root.Create(new CgroupLimits { MemoryBytes = 32 << 20 });
        Assert.Equal(0, root.Usage().OomKills);
        var child = Start(root, "exec tail /dev/zero");
        Assert.Equal(Signals.SIGKILL, (await child.Exited.WaitAsync(Deadline)).Signal);
        Assert.InRange(root.Usage().OomKills!.Value, 1, 10);
        Assert.InRange(root.Usage().MemoryPeakBytes!.Value, 16 << 20, 32 << 20);
        root.SetLimits(new CgroupLimits { MemoryBytes = 128 << 20 }); // up
        root.SetLimits(new CgroupLimits { MemoryBytes = 64 << 20 }); // and down
    }

    [Fact]
    public async Task Cpu_is_limited_and_measured()
    {
        root.Create(new CgroupLimits { Cpus = 0.2 });
        var begin = TimeProvider.System.GetTimestamp();
        var child = Start(root, "while :; do :; done");
        await Eventually.True(() => root.Usage().CpuTime > TimeSpan.FromMilliseconds(250));
        Assert.InRange(TimeProvider.System.GetElapsedTime(begin).TotalSeconds, 0.8, 10);
        child.Signal(Signals.SIGKILL);
        await child.Exited;
    }

    [Fact]
    public async Task A_frozen_group_stands_still()
    {
        root.Create();
        var child = Start(root, "while :; do :; done");
        await root.FreezeAsync(Deadline, default);
        await root.FreezeAsync(Deadline, default);
        var before = root.Usage().CpuTime;
        using (var wait = new CancellationTokenSource(TimeSpan.FromMilliseconds(200)))
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => child.Exited.WaitAsync(wait.Token));
        }

        Assert.Equal(before, root.Usage().CpuTime);
        await root.ThawAsync(Deadline, default);
        await Eventually.True(() => root.Usage().CpuTime > before);
        await root.FreezeAsync(Deadline, default);
        await root.KillAsync(Deadline, default); // frozen ones die too
        Assert.Equal(Signals.SIGKILL, (await child.Exited.WaitAsync(Deadline)).Signal);
    }

    [Fact]
    public async Task The_unified_hierarchy_is_spoken_too()
    {
        var unified = layout.UnifiedRoot;
        Assert.SkipWhen(unified is null, "no cgroup v2 hierarchy is mounted");
        var v2 = CgroupLayout.From([new MountEntry(1, 0, "0:1", "/", unified!, "rw", "cgroup2", "cgroup2", "rw")]);
        Assert.Equal(CgroupVersion.V2, v2.Version);
        var group = new Cgroup(v2, root.Path + "-v2/inner");
        group.Create();
        try
        {
            var child = Start(group, "while :; do :; done");
            Assert.Contains(child.Pid, group.Processes());
            await group.FreezeAsync(Deadline, default);
            await group.ThawAsync(Deadline, default);
            Assert.NotNull(group.Usage().CpuTime);
            await group.RemoveAsync(Deadline, default);
            Assert.Equal(Signals.SIGKILL, (await child.Exited.WaitAsync(Deadline)).Signal);
        }
        finally
        {
            await new Cgroup(v2, root.Path + "-v2").RemoveAsync(Deadline, default);
        }
    }

    [Fact]
    public void Layouts_are_told_apart()
    {
        static MountEntry Entry(string fs, string at, string options) => new(1, 0, "0:1", "/", at, "rw", fs, "cgroup", options);
        Assert.Equal(CgroupVersion.None, CgroupLayout.From([]).Version);
        Assert.Equal(CgroupVersion.V2, CgroupLayout.From([Entry("cgroup2", "/sys/fs/cgroup", "rw")]).Version);
        var v1 = CgroupLayout.From([Entry("cgroup", "/c/cpu,cpuacct", "rw,cpu,cpuacct"), Entry("cgroup", "/c/memory", "rw,memory")]);
        Assert.Equal(CgroupVersion.V1, v1.Version);
        Assert.Equal(["/c/cpu,cpuacct/x", "/c/memory/x"], new Cgroup(v1, "x").Directories);
    }

    private static ChildProcess Start(Cgroup group, string script) => ChildProcess.Start(new()
    {
        FileName = "sh",
        Argv = ["sh", "-c", script],
        Env = [$"PATH={SpawnOptions.DefaultPath}"],
        NewSession = true,
        CgroupDirectories = group.Directories,
    });
}
