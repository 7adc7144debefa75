using System.Text.Json;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Tests.Supervision;

/// <summary>A damaged specification is refused with one of the errors the supervisor says and writes down (<c>SupervisorProgram</c>), never by a crash.</summary>
public sealed class SpecFuzzTests
{
    [Fact]
    public void A_damaged_specification_is_refused_or_used()
    {
        using var work = new TempDir();
        var sample = JsonSerializer.SerializeToUtf8Bytes(
            new SupervisorSpec
            {
                Protocol = SupervisorMethod.Protocol,
                SandboxId = "0123456789abcdefghij",
                Name = "box",
                Runtime = "container",
                Engine = "runc",
                EnginePath = "/usr/sbin/runc",
                GuestAgentPath = "/bin/true",
                RootPath = work.Dir("root"),
                LogDirectory = work.Dir("log"),
                Resources = new ResourceSpec { Cpus = 1, MemoryBytes = 64 << 20, Pids = 64 },
                Network = new NetworkSpec { Mode = "none", Nameservers = ["10.0.0.1"] },
                Env = new Dictionary<string, string> { ["A"] = "b" },
                Shares = [new ShareSpec { HostPath = "/srv", GuestPath = "/mnt", ReadOnly = true }],
                IdRange = new IdRange { First = 1_879_048_192, Count = 65_536 },
                CgroupPath = "/vivarium/x",
            },
            SupervisorJson.Default.SupervisorSpec);
        var used = 0;
        Fuzz.Bytes(
            [sample],
            bytes =>
            {
                if (JsonSerializer.Deserialize(bytes, SupervisorJson.Default.SupervisorSpec) is { } spec)
                {
                    _ = SandboxRuntimes.Create(spec);
                    StartOptionsCheck.Require(new RuntimeStartOptions { Spec = spec, StateDirectory = work.Path, Token = new string('0', 32), Console = Stream.Null });
                    used++;
                }
            },
            static e => e is JsonException or VivariumException);
        Assert.True(used > 0, "some damage must leave a specification");
    }
}
