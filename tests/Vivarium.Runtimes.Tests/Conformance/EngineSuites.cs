using Vivarium.Runtimes.Probing;
using Vivarium.Runtimes.Tests.Harness;

namespace Vivarium.Runtimes.Tests.Conformance;

/// <summary>The suite on runc.</summary>
public sealed class RuncConformance : ContainerConformance
{
    protected override string Engine => "runc";

    protected override async Task<ProbedEngine?> ProbedAsync() => await Engines.RequireAsync(Engine, static _ => true);
}

/// <summary>The suite on crun, skipped with the probe's reason where it cannot work.</summary>
public sealed class CrunConformance : ContainerConformance
{
    protected override string Engine => "crun";

    protected override async Task<ProbedEngine?> ProbedAsync() => await Engines.RequireAsync(Engine, static _ => true);
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
