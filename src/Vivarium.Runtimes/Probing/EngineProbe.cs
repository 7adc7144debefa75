using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Cgroups;
using Vivarium.Runtimes.Oci;
using Vivarium.Wire.Host;

namespace Vivarium.Runtimes.Probing;

/// <summary>
/// Finds which engines work on this machine by starting a container with each. The default of <c>container</c> is the one that works with
/// user namespaces, and crun rather than runc: it starts a container with a third of the CPU time. Of <c>gvisor</c> it is the newest runsc that works.
/// </summary>
public sealed class EngineProbe(EngineProbeOptions options)
{
    private static readonly TimeSpan VersionDeadline = TimeSpan.FromSeconds(5);
    private static readonly string[] GvisorPlatforms = ["systrap", "ptrace"];

    /// <summary>Tries every candidate at once and returns one entry for each, and one for each engine that was not found. Never throws for an engine's sake.</summary>
    public async Task<IReadOnlyList<ProbedEngine>> RunAsync(CancellationToken cancellationToken)
    {
        var cache = ProbeCache.Open(options.CacheFile);
        var agentThere = File.Exists(options.GuestAgentPath);
        var results = await Task.WhenAll(EngineCandidates.Find(options).Select(candidate =>
            candidate.Path.Length == 0 ? Task.FromResult((Key: "", Engine: Missing(candidate, candidate.Looked)))
            : !agentThere ? Task.FromResult((Key: "", Engine: Missing(candidate, $"not tried: the guest agent {options.GuestAgentPath} does not exist")))
            : ProbeAsync(candidate, cache, cancellationToken))).ConfigureAwait(false);

        cache.Save(results.Where(static r => r.Engine is { Info.Works: true, UserNamespaceRefusal: null }).ToDictionary(
            static r => r.Key,
            static r => new ProbeCacheEntry(r.Engine.Info.Version, r.Engine.Info.Detail ?? "", r.Engine.Options?.ToDictionary(), r.Engine.UserNamespaces)));
        return MarkDefaults([.. results.Select(static r => r.Engine)]);
    }

    /// <summary>Compares versions such as <c>0.0~20240729.0</c> and <c>1.1.5+ds1</c> number by number.</summary>
    internal static int CompareVersions(string? one, string? other)
    {
        var (left, right) = (Numbers(one), Numbers(other));
        for (var i = 0; i < Math.Max(left.Count, right.Count); i++)
        {
            var order = (i < left.Count ? left[i] : 0).CompareTo(i < right.Count ? right[i] : 0);
            if (order != 0)
            {
                return order;
            }
        }

        return 0;
    }

    internal static IReadOnlyList<ProbedEngine> MarkDefaults(List<ProbedEngine> engines)
    {
        foreach (var runtime in (string[])["container", "gvisor"])
        {
            var best = engines
                .Where(engine => engine.Info.Runtime == runtime && engine.Info.Works)
                .OrderByDescending(static engine => engine.UserNamespaces)
                .ThenBy(static engine => engine.Info.Engine, StringComparer.Ordinal) // crun before runc
                .ThenByDescending(static engine => engine.Info.Version, Comparer<string?>.Create(CompareVersions))
                .FirstOrDefault();
            if (best is not null)
            {
                engines[engines.IndexOf(best)] = best with { Info = best.Info with { Default = true } };
            }
        }

        return engines;
    }

    private static List<long> Numbers(string? version)
    {
        List<long> numbers = [];
        var rest = (version ?? "").AsSpan();
        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExceptInRange('0', '9');
            digits = digits < 0 ? rest.Length : digits;
            if (digits > 0 && long.TryParse(rest[..digits], out var number))
            {
                numbers.Add(number);
            }

            rest = rest[Math.Min(rest.Length, digits + 1)..];
        }

        return numbers;
    }

    private static string RuntimeOf(string engine) => engine == "runsc" ? "gvisor" : "container";

    private static ProbedEngine Missing(EngineCandidate candidate, string why) => new()
    {
        Info = new EngineInfo
        {
            Engine = candidate.Engine,
            Runtime = RuntimeOf(candidate.Engine),
            Path = candidate.Path.Length == 0 ? null : candidate.Path,
            Works = false,
            Detail = why,
        },
    };

    private async Task<(string Key, ProbedEngine Engine)> ProbeAsync(EngineCandidate candidate, ProbeCache cache, CancellationToken cancellationToken)
    {
        var key = ProbeCache.Key(candidate.Engine, candidate.Path, options.GuestAgentPath);
        if (cache.Find(key) is { } known)
        {
            return (key, Works(candidate, known.Version, known.Detail, known.Options, known.UserNamespaces));
        }

        var version = await VersionAsync(candidate.Path, cancellationToken).ConfigureAwait(false);
        List<string> failures = [];
        var saves = candidate.Engine == "runsc" && MemorySupport.Of(version);
        foreach (var (settings, description) in Variants(candidate.Engine))
        {
            if (saves)
            {
                settings![OciEngine.MemorySnapshotsOption] = "true";
            }

            var engine = new OciEngine(candidate.Engine, candidate.Path, settings) { SwapAccounted = CgroupHierarchies.Current.AccountsSwap };
            var started = TimeProvider.System.GetTimestamp();
            var failure = await EngineTrial.RunAsync(engine, options, userNamespace: false, cancellationToken).ConfigureAwait(false);
            if (failure is null)
            {
                var milliseconds = TimeProvider.System.GetElapsedTime(started).TotalMilliseconds;
                var refusal = candidate.Engine == "runsc" ? "" : await EngineTrial.RunAsync(engine, options, userNamespace: true, cancellationToken).ConfigureAwait(false);
                var ids = refusal switch
                {
                    null => ", user namespaces work",
                    "" => "",
                    _ => $", user namespaces do not: {refusal}",
                };
                var memory = saves ? ", memory can be saved" : candidate.Engine == "runsc" ? $", memory cannot be saved: that takes {MemorySupport.FirstDate} or newer" : "";
                var detail = $"a trial container ran in {milliseconds:0} ms{description} (cgroups {CgroupHierarchies.Current.Layout}{ids}{memory})";
                return (key, Works(candidate, version, detail, settings, refusal is null) with { UserNamespaceRefusal = refusal is { Length: > 0 } ? refusal : null });
            }

            failures.Add(failure);
        }

        var unusable = Missing(candidate, $"a trial container failed: {string.Join("; ", failures.Distinct())}");
        return (key, unusable with { Info = unusable.Info with { Version = version } });
    }

    private static ProbedEngine Works(EngineCandidate candidate, string? version, string detail, Dictionary<string, string>? settings, bool userNamespaces) => new()
    {
        Info = new EngineInfo
        {
            Engine = candidate.Engine,
            Runtime = RuntimeOf(candidate.Engine),
            Path = candidate.Path,
            Version = version,
            Works = true,
            Detail = detail,
            MemorySnapshots = settings?.GetValueOrDefault(OciEngine.MemorySnapshotsOption) == "true",
        },
        Options = settings,
        UserNamespaces = userNamespaces,
    };

    /// <summary>Settings to try, best first. gVisor: the faster platform, then the older one; each first with cgroups by the engine, then by us.</summary>
    private static IEnumerable<(Dictionary<string, string>? Settings, string Description)> Variants(string engine)
    {
        if (engine != "runsc")
        {
            yield return (null, "");
            yield break;
        }

        foreach (var platform in GvisorPlatforms)
        {
            yield return (new() { [OciEngine.PlatformOption] = platform }, $" on platform {platform}");
        }

        foreach (var platform in GvisorPlatforms)
        {
            yield return (new() { [OciEngine.PlatformOption] = platform, [OciEngine.IgnoreCgroupsOption] = "true" }, $" on platform {platform}, with cgroups made by us");
        }
    }

    private static async Task<string?> VersionAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            var output = await ChildRun.RunAsync(path, ["--version"], new ChildRunOptions { Timeout = VersionDeadline, EndedPipeAsInput = true }, cancellationToken).ConfigureAwait(false);

            // "runc version 1.1.5+ds1", "crun version 1.8.1", "runsc version 0.0~20221219.0"
            var words = output.StdoutText.Split('\n')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return words is [_, "version", var version, ..] ? version : null;
        }
        catch (SpawnException)
        {
            return null;
        }
    }
}
