using Vivarium.Configuration;
using Vivarium.Configuration.Sections;
using Vivarium.Configuration.Values;
using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Tests.Sandboxes;

public sealed class CreateRequestTests
{
    private static readonly VivariumConfig Config = new();

    public static TheoryData<string, CreateParams> Bad => new()
    {
        { "bad_name", new() { Name = "Not-A-Label" } },
        { "bad_external_id", new() { ExternalId = "a/b" } },
        { "bad_hostname", new() { Hostname = "-" } },
        { "bad_memory", new() { MemoryBytes = (16 << 20) - 1 } },
        { "bad_memory", new() { MemoryBytes = -1 } },
        { "bad_cpus", new() { Cpus = 0 } },
        { "bad_cpus", new() { Cpus = double.NaN } },
        { "bad_cpus", new() { Cpus = double.PositiveInfinity } },
        { "bad_pids", new() { Pids = 15 } },
        { "bad_disk", new() { DiskBytes = 1 } },
        { "unknown_runtime", new() { Runtime = "docker" } },
        { "runtime_not_built", new() { Runtime = "vm" } },
        { "direct_not_allowed", new() { Runtime = "direct" } },
        { "unknown_network", new() { Network = "host" } },
        { "bad_on_timeout", new() { OnTimeout = "explode" } },
        { "bad_timeout", new() { TimeoutMs = -1 } },
        { "bad_timeout", new() { IdleTimeoutMs = long.MaxValue } },
        { "bad_env", new() { Env = new Dictionary<string, string> { ["A=B"] = "x" } } },
        { "bad_env", new() { Env = new Dictionary<string, string> { ["A"] = "x\0y" } } },
        { "bad_env", new() { Env = new Dictionary<string, string> { ["A"] = new('x', 300_000) } } },
        { "bad_label", new() { Labels = new Dictionary<string, string> { ["a b"] = "x" } } },
        { "bad_workdir", new() { Workdir = "relative" } },
        { "bad_workdir", new() { Workdir = "/a/../b" } },
        { "bad_secret", new() { Secrets = [new InjectSecretPayload { Name = "../x", Value = "" }] } },
        { "bad_share", new() { Shares = [new ShareSpec { HostPath = "/nowhere/at/all", GuestPath = "/x" }] } },
        { "bad_share", new() { Shares = [new ShareSpec { HostPath = "/etc", GuestPath = "/" }] } },
        { "bad_share", new() { Shares = [new ShareSpec { HostPath = "/etc", GuestPath = "/proc/x" }] } },
        { "bad_share", new() { Shares = [new ShareSpec { HostPath = "/etc", GuestPath = "/x/../proc" }] } },
        { "bad_share", new() { Shares = [new ShareSpec { HostPath = "/etc/../etc", GuestPath = "/x" }] } },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void What_is_wrong_is_refused_by_its_own_reason(string reason, CreateParams parameters) =>
        Assert.Equal(reason, Assert.Throws<VivariumException>(() => CreateRequest.Check(parameters, Config, TimeProvider.System)).Reason);

    [Fact]
    public void Nothing_asked_for_gives_the_defaults()
    {
        var record = CreateRequest.Check(new CreateParams(), Config, TimeProvider.System);
        Assert.Equal(("base", 2.0, 1L << 30, 1024, "none", "kill"), (record.Template, record.Resources.Cpus, record.Resources.MemoryBytes, record.Resources.Pids, record.Network, record.OnTimeout));
        Assert.Null(record.ExpiresUnixMs);
    }

    [Fact]
    public void More_than_the_limit_is_refused_and_defaults_are_clamped()
    {
        var config = Config with { Limits = new LimitsConfig { MaxCpus = 1, MaxMemory = ByteSize.FromMiB(64), MaxPids = 32, MaxTimeout = TimeSpan.FromSeconds(10) } };
        var record = CreateRequest.Check(new CreateParams(), config, TimeProvider.System);
        Assert.Equal((1.0, 64L << 20, 32, 10_000L), (record.Resources.Cpus, record.Resources.MemoryBytes, record.Resources.Pids, record.TimeoutMs));
        foreach (var p in new CreateParams[] { new() { Cpus = 2 }, new() { MemoryBytes = 65 << 20 }, new() { Pids = 33 } })
        {
            Assert.Equal(ErrorCode.ResourceExhausted, Assert.Throws<VivariumException>(() => CreateRequest.Check(p, config, TimeProvider.System)).Code);
        }

        Assert.Equal("timeout_too_long", Assert.Throws<VivariumException>(() => CreateRequest.Check(new CreateParams { TimeoutMs = 10_001 }, config, TimeProvider.System)).Reason);
    }

    [Fact]
    public void A_life_of_zero_is_no_limit_and_a_life_counts_from_now()
    {
        Assert.Null(CreateRequest.Check(new CreateParams { TimeoutMs = 0 }, Config, TimeProvider.System).ExpiresUnixMs);
        var record = CreateRequest.Check(new CreateParams { TimeoutMs = 5000 }, Config, TimeProvider.System);
        Assert.Equal(record.CreatedUnixMs + 5000, record.ExpiresUnixMs);
    }
}
