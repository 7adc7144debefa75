using Vivarium.Runtimes.Probing;
using Vivarium.Linux.Files;
using Vivarium.Linux.Namespaces;
using Vivarium.Runtimes.Tests.Harness;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Tests.Conformance;

/// <summary>The suite on runc.</summary>
public sealed class RuncConformance : ContainerConformance
{
    protected override string Engine => "runc";

    protected override async Task<ProbedEngine?> ProbedAsync() => await Engines.RequireAsync(Engine, static _ => true);
}

/// <summary>The suite on runc with a user namespace over an id-mapped volume.</summary>
public sealed class RuncUserNamespaceConformance : UserNamespaceConformance
{
    protected override string Engine => "runc";
}

/// <summary>The suite on crun, as sandboxes get it.</summary>
public sealed class CrunConformance : UserNamespaceConformance
{
    protected override string Engine => "crun";
}

/// <summary>The suite with a user namespace.</summary>
public abstract class UserNamespaceConformance : ContainerConformance
{
    [Fact]
    public async Task Root_inside_is_nobody_outside_and_files_keep_their_owners()
    {
        await using var rig = await StartedAsync();
        Assert.Equal("uid=0(root) gid=0(root)\n", (await rig.RunAsync("/bin/id")).Output.Replace(" groups=0(root)", "", StringComparison.Ordinal));
        Assert.Equal(0, (await rig.ShellAsync("touch /tmp/root; touch /tmp/user; chown 1000:1000 /tmp/user")).Exit.Code);
        Assert.Equal((0u, 1000u), (OwnerOf(rig, "tmp/root"), OwnerOf(rig, "tmp/user")));
        var status = await File.ReadAllTextAsync($"/proc/{rig.Runtime.EnginePid}/status");
        Assert.Contains($"Uid:\t{rig.Spec.IdRange!.First}\t", status, StringComparison.Ordinal);
        Assert.True(rig.Runtime.Capabilities.UserNamespace);
    }

    [Fact]
    public async Task A_prepared_network_namespace_and_a_user_namespace_go_together()
    {
        using var place = new TestKit.TempDir();
        var path = place["net"];
        NetworkNamespace.Create(path);
        try
        {
            await using var rig = await StartedAsync(spec => spec with { Network = spec.Network with { NamespacePath = path } });
            var inside = NamespaceThread.In(path, NamespaceKinds.Network, static () => new FileInfo("/proc/thread-self/ns/net").LinkTarget);
            Assert.Equal(inside, new FileInfo($"/proc/{rig.Runtime.EnginePid}/ns/net").LinkTarget);
            Assert.Equal("lo\n", (await rig.RunAsync("/bin/ls", "/sys/class/net")).Output);
            Assert.NotEqual(0, (await rig.ShellAsync("mkdir /sys/x")).Exit.Code);
            Assert.Equal("0\n", (await rig.RunAsync("/bin/cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start")).Output);
        }
        finally
        {
            NetworkNamespace.Remove(path);
        }
    }

    internal override SupervisorSpec Adjust(SupervisorSpec spec) => spec with { IdRange = new Wire.Supervisor.IdRange { First = 0x7600_0000, Count = 65_536 } };

    protected override async Task<ProbedEngine?> ProbedAsync() => await Engines.RequireAsync(Engine, static engine => engine.UserNamespaces);

    private static uint OwnerOf(RuntimeRig rig, string path) => FileStatus.Of(Path.Combine(rig.Spec.RootPath, path)).Uid;
}

/// <summary>The suite on the distribution's own runsc.</summary>
public sealed class DistributionRunscConformance : ContainerConformance
{
    protected override string Engine => "runsc";

    protected override async Task<ProbedEngine?> ProbedAsync() => await Engines.RequireAsync(Engine, static engine => engine.Info.Path == "/usr/bin/runsc");
}

/// <summary>The suite on a newer runsc from an unpacked package.</summary>
public sealed class BackportsRunscConformance : ContainerConformance
{
    protected override string Engine => "runsc";

    protected override async Task<ProbedEngine?> ProbedAsync() => await Engines.RequireAsync(Engine, static engine => engine.Info.Path != "/usr/bin/runsc");
}

/// <summary>The suite without isolation.</summary>
public sealed class DirectConformance : RuntimeConformance
{
    protected override string Engine => "direct";

    protected override Task<ProbedEngine?> ProbedAsync() => Task.FromResult<ProbedEngine?>(null);
}
