using System.Security.Cryptography;
using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Cgroups;
using Vivarium.Runtimes.Ledger;
using Vivarium.Runtimes.Oci;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Probing;

/// <summary>
/// Runs our agent's <c>version</c> in a container with the very bundle a sandbox gets: same namespaces, limits, filter and mounts. So what works here
/// works there. Leaves nothing behind.
/// </summary>
internal static class EngineTrial
{
    private const string ExpectedWord = "viv-guest";

    /// <summary>The last range below what systemd reserves above: sandboxes get theirs from the other end.</summary>
    private static readonly IdRange TrialRange = new() { First = 0x7FFE_0000 - 65_536, Count = 65_536 };

    /// <summary>Null when it worked, else what went wrong in one line.</summary>
    /// <param name="engine">The engine with the settings to try.</param>
    /// <param name="options">Where and how long.</param>
    /// <param name="userNamespace">With a user namespace over an id-mapped root.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<string?> RunAsync(OciEngine engine, EngineProbeOptions options, bool userNamespace, CancellationToken cancellationToken)
    {
        var id = RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz0123456789", 20);
        var directory = Path.Combine(options.WorkDirectory, $"probe-{id}");
        var cgroupPath = $"{options.CgroupRoot.TrimEnd('/')}/probe-{id}";
        Directory.CreateDirectory(Path.Combine(directory, "root"));
        using var ledger = SandboxLedger.OpenIn(directory);
        ledger.Add(new LedgerEntry(LedgerKind.Cgroup, cgroupPath));
        try
        {
            var spec = Specification(engine, options, id, directory, cgroupPath) with { IdRange = userNamespace ? TrialRange : null };
            var mapped = MappedRoot.Plan(spec, directory);
            var seen = mapped?.Staged ?? spec;
            OciBundle.Write(
                directory,
                new RuntimeStartOptions { Spec = seen, StateDirectory = directory, Token = "", Console = Stream.Null },
                engine,
                new OciPlacement { RootPath = seen.RootPath, AgentArguments = ["version"] });
            IReadOnlyList<string>? join = null;
            if (engine.IgnoresCgroups)
            {
                var cgroup = new SandboxCgroup(cgroupPath);
                cgroup.Create(spec.Resources);
                join = cgroup.Directories;
            }

            var arguments = engine.Command(Path.Combine(directory, "engine"), "run", "--bundle", directory, id);
            var run = new ChildRunOptions
            {
                Timeout = options.Deadline,
                CgroupDirectories = join,
                EndedPipeAsInput = true, // runsc of 2022 gives its standard input to user nobody: were it /dev/null, the machine's
            };

            // The program is started before the first wait, so on the thread that is in the namespace.
            var hides = engine.RefusesHybrid && CgroupHierarchies.Current.Hybrid;
            Task<ChildOutput> Start()
            {
                if (hides)
                {
                    EngineView.HideUnifiedHierarchy(CgroupHierarchies.Current);
                }

                return ChildRun.RunAsync(engine.Path, [.. arguments.Skip(1)], run, cancellationToken);
            }

            var output = await (mapped is not null ? mapped.Run(Start, static run => run) : hides ? EngineView.Run(Start, static run => run) : Start()).ConfigureAwait(false);
            return output.Succeeded && output.StdoutText.StartsWith(ExpectedWord, StringComparison.Ordinal) ? null
                : output.Succeeded ? "the trial container did not run its program"
                : output.Summary;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or Wire.Errors.VivariumException or SpawnException)
        {
            return e.Message;
        }
        finally
        {
            await Reclaim.RunAsync(ledger, CancellationToken.None).ConfigureAwait(false); // bounded by its own deadlines
            Directory.Delete(directory, recursive: true);
        }
    }

    private static SupervisorSpec Specification(OciEngine engine, EngineProbeOptions options, string id, string directory, string cgroupPath) => new()
    {
        Protocol = SupervisorMethod.Protocol,
        SandboxId = id,
        Name = "probe",
        Runtime = engine.Name == "runsc" ? "gvisor" : "container",
        Engine = engine.Name,
        EnginePath = engine.Path,
        GuestAgentPath = options.GuestAgentPath,
        RootPath = Path.Combine(directory, "root"),
        LogDirectory = directory,
        Resources = new ResourceSpec { Cpus = 1, MemoryBytes = 256 * 1024 * 1024, Pids = 256 },
        Network = new NetworkSpec { Mode = "none" },
        CgroupPath = cgroupPath,
    };
}
