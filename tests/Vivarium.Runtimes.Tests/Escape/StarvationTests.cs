using Vivarium.Runtimes.Tests.Harness;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Tests.Escape;

/// <summary>A sandbox that has used up what it has can still be looked into: the agent has CPU, memory, processes and descriptors of its own.</summary>
public sealed class StarvationTests
{
    private const string ForkBomb = "b() { b | b & }; b; sleep 1000";
    private const string CpuHog = "for i in 1 2 3 4 5 6 7 8; do while :; do :; done & done; wait";
    private const string MemoryHog = "while :; do x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done; done & while :; do sleep 1000; done";
    private const string DescriptorHog = "exec /bin/escape-probe descriptors";
    private static readonly TimeSpan Answer = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("crun", ForkBomb)]
    [InlineData("crun", CpuHog)]
    [InlineData("crun", MemoryHog)]
    [InlineData("crun", DescriptorHog)]
    [InlineData("runsc", CpuHog)]
    [InlineData("runsc", DescriptorHog)]
    public async Task Commands_run_and_processes_are_listed_while_it_starves(string name, string hog)
    {
        var engine = await Engines.RequireAsync(name, e => e.Info.Default);
        await using var rig = await RuntimeRig.NewAsync(name, engine, spec => spec with
        {
            Resources = spec.Resources with { Cpus = 0.5, MemoryBytes = 128 * 1024 * 1024, Pids = 128 },
            IdRange = engine.UserNamespaces ? new IdRange { First = 0x7701_0000, Count = 65_536 } : null,
        });
        File.Copy(await CProgram.CompileAsync("escape-probe.c"), Path.Combine(rig.Spec.RootPath, "bin/escape-probe"));
        await rig.StartAsync();
        var stream = await rig.Runtime.ConnectAsync(GuestPort.Exec, CancellationToken.None);
        await using var process = await ExecClient.StartAsync(stream, new ExecRequest { Argv = ["/bin/sh", "-c", hog] }, CancellationToken.None);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(0, (await rig.RunAsync("/bin/true").WaitAsync(Answer)).Exit.Code);
            var listed = await rig.Control.GetProcessesAsync(Answer, CancellationToken.None);
            Assert.Contains(listed.Processes, p => p.Pid == process.Pid);
            Assert.NotNull((await rig.Runtime.StatsAsync(CancellationToken.None)).Pids);
            await rig.Control.PingAsync(Answer, CancellationToken.None);
        }

        await rig.Runtime.StopAsync(StopMode.Forced, TimeSpan.FromSeconds(20), CancellationToken.None);
    }
}
