using Vivarium.Runtimes.Probing;
using Vivarium.TestKit;

namespace Vivarium.Runtimes.Tests.Harness;

/// <summary>What the probe finds on this machine, asked once.</summary>
internal static class Engines
{
    private static readonly Lazy<Task<IReadOnlyList<ProbedEngine>>> Probed = new(ProbeAsync);

    public static Task<IReadOnlyList<ProbedEngine>> AllAsync() => Probed.Value;

    /// <summary>The engine, or a skipped test saying why it is not usable here.</summary>
    /// <param name="engine">Name.</param>
    /// <param name="wanted">Chooses among several programs of the engine.</param>
    public static async Task<ProbedEngine> RequireAsync(string engine, Func<ProbedEngine, bool> wanted)
    {
        var candidates = (await AllAsync()).Where(e => e.Info.Engine == engine).Where(wanted).ToArray();
        var working = Array.Find(candidates, static e => e.Info.Works);
        Assert.SkipWhen(working is null, candidates is [var only, ..] ? $"{engine} does not work here: {only.Info.Detail}" : $"this {engine} is not installed");
        return working!;
    }

    private static async Task<IReadOnlyList<ProbedEngine>> ProbeAsync()
    {
        using var work = new TempDir();
        return await new EngineProbe(new EngineProbeOptions
        {
            GuestAgentPath = await Programs.GuestAsync(),
            WorkDirectory = work.Path,
            CgroupRoot = TestCgroup.Root,
            EngineDirectories = [Environment.GetEnvironmentVariable("VIVARIUM_ENGINES") ?? "/var/lib/vivarium/engines"],
        }).RunAsync(CancellationToken.None);
    }
}
