using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Tests.Support;

/// <summary>Records for tests that need one and do not care.</summary>
internal static class Records
{
    public static SandboxRecord Make(string name, string state = SandboxState.Running) => new()
    {
        Id = SandboxId.New(),
        Name = name,
        State = state,
        Runtime = "container",
        Engine = "runc",
        Template = "tiny",
        TemplateDigest = "sha256:" + new string('0', 64),
        Resources = new ResourceSpec { Cpus = 1, MemoryBytes = 1 << 28, Pids = 64 },
        Network = "none",
        CreatedUnixMs = 1,
        OnTimeout = "kill",
    };
}
