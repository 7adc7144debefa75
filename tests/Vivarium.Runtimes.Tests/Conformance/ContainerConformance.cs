namespace Vivarium.Runtimes.Tests.Conformance;

/// <summary>What isolating engines must do beyond <see cref="RuntimeConformance"/>: the sandbox sees and reaches nothing of the host.</summary>
public abstract class ContainerConformance : RuntimeConformance
{
    [Fact]
    public async Task Only_its_own_processes_are_seen_and_the_agent_is_init()
    {
        await using var rig = await StartedAsync();
        var (_, output) = await rig.ShellAsync("cat /proc/1/comm; echo /proc/[0-9]*");
        Assert.StartsWith("viv-guest", output, StringComparison.Ordinal);
        Assert.InRange(output.Split("/proc/").Length, 2, 12);
    }

    [Fact]
    public async Task The_host_name_is_the_sandboxs()
    {
        await using var rig = await StartedAsync();
        Assert.Equal("conformance\n", (await rig.RunAsync("/bin/hostname")).Output);
    }

    [Fact]
    public async Task There_is_no_network_but_loopback()
    {
        await using var rig = await StartedAsync();
        var (_, output) = await rig.ShellAsync("cat /proc/net/dev");
        var interfaces = output.Split('\n').Where(static line => line.Contains(':', StringComparison.Ordinal)).Select(static line => line.Split(':')[0].Trim());
        Assert.Equal(["lo"], interfaces);
    }

    [Theory]
    [InlineData("mount -t tmpfs none /tmp", "mounting")]
    [InlineData("mknod /tmp/sda b 8 0", "making a device")]
    [InlineData("echo 1 > /proc/sys/kernel/panic", "writing a kernel setting")]
    [InlineData("echo b > /proc/sysrq-trigger", "pulling sysrq")]
    [InlineData("cat /proc/kcore | head -c 1 | grep -q .", "reading kernel memory")]
    [InlineData("hostname other", "renaming the host")]
    public async Task What_an_escape_would_need_is_denied(string script, string what)
    {
        await using var rig = await StartedAsync();
        if (Engine == "runsc" && what is "mounting" or "making a device" or "renaming the host")
        {
            // gVisor's own kernel may allow these to its root: they touch nothing of the host's.
            Assert.False(File.Exists(Path.Combine(rig.Spec.RootPath, "tmp/sda")) && File.GetAttributes(Path.Combine(rig.Spec.RootPath, "tmp/sda")).HasFlag(FileAttributes.Device));
            return;
        }

        var (exit, output) = await rig.ShellAsync(script);
        Assert.True(exit.Code != 0, $"{what} was allowed: {output}");
    }

    [Fact]
    public async Task No_new_privileges_few_capabilities_and_a_filter()
    {
        await using var rig = await StartedAsync();
        var (_, status) = await rig.ShellAsync("cat /proc/self/status");
        var capabilities = Convert.ToUInt64(Field(status, "CapBnd"), 16);
        const ulong SysAdmin = 1UL << 21, SysPtrace = 1UL << 19, NetRaw = 1UL << 13, Mknod = 1UL << 27, SysModule = 1UL << 16, DacReadSearch = 1UL << 2;
        Assert.Equal(0UL, capabilities & (SysAdmin | SysPtrace | NetRaw | Mknod | SysModule | DacReadSearch));
        if (Engine != "runsc")
        {
            Assert.Equal("1", Field(status, "NoNewPrivs"));
            Assert.Equal("2", Field(status, "Seccomp"));
        }
    }

    [Fact]
    public async Task No_environment_of_the_host_and_no_token_is_seen()
    {
        await using var rig = await StartedAsync();
        var (_, environment) = await rig.ShellAsync("cat /proc/1/environ; env");
        Assert.DoesNotContain(rig.Token, (await rig.RunAsync("/bin/env")).Output, StringComparison.Ordinal);
        Assert.DoesNotContain("DOTNET", environment, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_agent_cannot_be_replaced_from_inside()
    {
        await using var rig = await StartedAsync();
        var before = File.GetLastWriteTimeUtc(rig.Spec.GuestAgentPath);
        var (exit, _) = await rig.ShellAsync("echo bad > /run/vivarium/viv-guest");
        Assert.NotEqual(0, exit.Code);
        Assert.Equal(before, File.GetLastWriteTimeUtc(rig.Spec.GuestAgentPath));
    }

    [Fact]
    public async Task A_read_only_share_is_read_only_and_a_writable_one_is_not()
    {
        using var shared = new TestKit.TempDir();
        shared.Write("ro/file", "from the host");
        shared.Dir("rw");
        await using var rig = await StartedAsync(spec => spec with
        {
            Shares =
            [
                new() { HostPath = shared["ro"], GuestPath = "/mnt/ro", ReadOnly = true },
                new() { HostPath = shared["rw"], GuestPath = "/mnt/rw" },
            ],
        });
        Assert.Equal("from the host", (await rig.RunAsync("/bin/cat", "/mnt/ro/file")).Output);
        Assert.NotEqual(0, (await rig.ShellAsync("echo x > /mnt/ro/file")).Exit.Code);
        Assert.Equal(0, (await rig.ShellAsync("echo x > /mnt/rw/file")).Exit.Code);
        Assert.Equal("x\n", await File.ReadAllTextAsync(shared["rw/file"]));
    }

    private static string Field(string status, string name) =>
        status.Split('\n').First(line => line.StartsWith(name + ":", StringComparison.Ordinal))[(name.Length + 1)..].Trim();
}
