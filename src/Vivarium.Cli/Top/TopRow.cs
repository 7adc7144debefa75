using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Cli.Top;

/// <summary>A sandbox and what it uses at one moment; usage is absent when it does not run, CPU until there were two looks.</summary>
/// <param name="Sandbox">The sandbox.</param>
/// <param name="Usage">What its supervisor measured.</param>
/// <param name="Cpu">CPUs in use since the look before: 1 is one whole CPU.</param>
/// <param name="AtMs">When, on the clock of the process.</param>
internal sealed record TopRow(SandboxInfo Sandbox, SandboxUsage? Usage, double? Cpu, long AtMs)
{
    public long? Memory => Usage?.MemoryBytes;

    public long? Disk => Usage?.Guest?.DiskUsedBytes;
}
