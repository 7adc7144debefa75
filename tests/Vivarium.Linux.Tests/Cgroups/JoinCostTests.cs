using Vivarium.Linux.Cgroups;
using Vivarium.Linux.Processes;

namespace Vivarium.Linux.Tests.Cgroups;

public sealed class JoinCostTests
{
    [Fact]
    public async Task Starting_a_child_in_a_cgroup_stays_cheap()
    {
        var group = new Cgroup(CgroupLayout.Detect(), $"/vivarium-test-{Guid.NewGuid():N}");
        group.Create();
        try
        {
            var times = new List<double>();
            for (var i = 0; i < 30; i++)
            {
                var begin = TimeProvider.System.GetTimestamp();
                await ChildProcess.Start(new() { FileName = "/bin/true", Argv = ["true"], CgroupDirectories = group.Directories }).Exited;
                times.Add(TimeProvider.System.GetElapsedTime(begin).TotalMilliseconds);
            }

            times.Sort();
            TestContext.Current.SendDiagnosticMessage($"spawn and reap in {group.Directories.Count} cgroup directories: median {times[15]:F1} ms, best {times[0]:F1} ms");
            Assert.InRange(times[0], 0, 200);
        }
        finally
        {
            await group.RemoveAsync(TimeSpan.FromSeconds(10), default);
        }
    }
}
