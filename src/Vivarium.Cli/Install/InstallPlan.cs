using Vivarium.Cli.Commands;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Install;

/// <summary>What installing, upgrading and uninstalling consist of, in order.</summary>
internal static class InstallPlan
{
    private const string Group = "vivarium";
    private const int KeptDaemons = 2;

    /// <summary>Installs, or brings an installation up to this build.</summary>
    /// <param name="layout">Where to.</param>
    /// <param name="source">Directory of a complete build: viv, viv-supervisor, viv-guest, vivd/.</param>
    /// <param name="call">Asked only when this machine itself is installed.</param>
    public static IReadOnlyList<InstallStep> Install(InstallLayout layout, string source, Invocation call)
    {
        var programs = layout.Here(layout.Programs);
        var daemon = ".vivd-" + InstallSteps.Fingerprint(Path.Combine(source, "vivd"));
        var steps = new List<InstallStep>();
        foreach (var (name, why) in new[] { ("viv-guest", "the agent inside sandboxes"), ("viv-supervisor", "one runs per sandbox; those that run keep theirs"), ("viv", "the command line") })
        {
            steps.Add(InstallSteps.Program(Path.Combine(source, name), Path.Combine(programs, name), why));
        }

        steps.Add(InstallSteps.Tree(Path.Combine(source, "vivd"), Path.Combine(programs, daemon), "the daemon, beside the one that may run"));
        steps.Add(InstallSteps.Link(Path.Combine(programs, "vivd"), daemon, "the daemon that is started from now on"));
        steps.Add(InstallSteps.Link(layout.Here(layout.Link), Path.GetRelativePath(Path.GetDirectoryName(layout.Link)!, layout.Programs + "/viv"), "viv on everybody's PATH"));
        steps.AddRange(layout.Completions.Select(c => InstallSteps.Write(layout.Here(c.Path), CompletionCommand.Script(c.Shell), $"completion for {c.Shell}")));
        steps.Add(InstallSteps.Write(layout.Here(layout.Manual), ManPage.Text(), "man viv"));
        steps.Add(InstallSteps.WriteOnce(layout.Here(InstallLayout.Config), ConfigSkeleton.Text(), "configuration, all defaults; one that is there stays as it is"));
        steps.Add(InstallSteps.Write(layout.Here(InstallLayout.Unit), UnitFile.Text(layout.Daemon, DotnetRoot()), "the systemd unit"));
        steps.Add(InstallSteps.Write(layout.Here(InstallLayout.SocketUnit), SocketUnitFile.Text(Group), "a systemd unit that starts the daemon with the first connection; off until it is enabled"));
        steps.Add(new InstallStep("remove", Path.Combine(programs, ".vivd-*"), "older daemons but the last", () => OldDaemons(programs, daemon).Count == 0, () => OldDaemons(programs, daemon).ForEach(d => Directory.Delete(d, recursive: true))));
        string[] written = [Path.Combine(programs, "vivd"), .. steps.Where(step => step.Action is "copy" or "link" or "write").Select(step => step.Target)];
        steps.Add(InstallSteps.Sweep(written, "left half done by an installation that was cut off"));
        if (layout.IsThisMachine)
        {
            steps.Add(InstallSteps.Run("the group whose members may use the daemon", GroupExists, "groupadd", "--system", Group));
            steps.AddRange(Start(call, steps.Any(step => step.Target == InstallLayout.Unit && !step.IsDone()) || steps.Any(step => step.Action is "copy" && !step.IsDone())));
        }

        return steps;
    }

    /// <summary>Takes it away; data and configuration only with <paramref name="purge"/>.</summary>
    public static IReadOnlyList<InstallStep> Uninstall(InstallLayout layout, Invocation call, bool purge)
    {
        var steps = new List<InstallStep>();
        if (layout.IsThisMachine)
        {
            if (ServiceManager.IsThere)
            {
                // First: asking whether the daemon runs would start it.
                steps.Add(InstallSteps.Run("no connection starts it any more", () => !File.Exists(InstallLayout.SocketUnit), ServiceManager.Program, "disable", "--now", InstallLayout.SocketUnitName));
            }

            steps.Add(new InstallStep("stop", "vivd", purge ? "the daemon, and the pool is unmounted" : "the daemon; sandboxes go on running", () => call.TryConnect() is not { } host || Close(host), () => DaemonState.Stop(call, unmount: purge)));
            if (ServiceManager.IsThere)
            {
                steps.Add(InstallSteps.Run("not started with the machine any more", () => !File.Exists(InstallLayout.Unit), ServiceManager.Program, "disable", "--now", InstallLayout.UnitName));
            }
        }

        steps.Add(InstallSteps.Remove(layout.Here(InstallLayout.Unit), "the systemd unit"));
        steps.Add(InstallSteps.Remove(layout.Here(InstallLayout.SocketUnit), "the systemd socket unit"));
        if (layout.IsThisMachine && ServiceManager.IsThere)
        {
            var had = File.Exists(InstallLayout.Unit);
            steps.Add(InstallSteps.Run("so that systemd forgets it", () => !had, ServiceManager.Program, "daemon-reload"));
        }

        steps.AddRange(layout.Completions.Select(c => InstallSteps.Remove(layout.Here(c.Path), $"completion for {c.Shell}")));
        steps.Add(InstallSteps.Remove(layout.Here(layout.Manual), "man viv"));
        steps.Add(InstallSteps.Remove(layout.Here(layout.Link), "the link on the PATH"));
        steps.Add(InstallSteps.Remove(layout.Here(layout.Programs), "the programs"));
        if (purge)
        {
            steps.Add(InstallSteps.Remove(layout.Here(InstallLayout.ConfigDirectory), "the configuration"));
            steps.Add(InstallSteps.Remove(layout.Here(layout.IsThisMachine ? call.Config.Paths.State : "/var/lib/vivarium"), "all sandboxes, volumes, templates and logs"));
            if (layout.IsThisMachine)
            {
                steps.Add(InstallSteps.Remove(call.Config.Paths.Runtime, "sockets"));
                steps.Add(InstallSteps.Run("the group", () => !GroupExists(), "groupdel", Group));
            }
        }

        return steps;
    }

    private static IEnumerable<InstallStep> Start(Invocation call, bool changes)
    {
        if (!ServiceManager.IsThere)
        {
            // Without a service manager the next viv command starts the daemon; one that runs must become the new one.
            yield return new InstallStep("stop", "vivd", "the daemon that runs; the next viv command starts the new one, sandboxes go on", () => !changes || call.TryConnect() is not { } host || Close(host), () => DaemonState.Stop(call));
            yield break;
        }

        yield return InstallSteps.Run("systemd reads the unit", () => !changes, ServiceManager.Program, "daemon-reload");
        if (ServiceManager.StartsOnConnection)
        {
            yield return InstallSteps.Run("the daemon anew; sandboxes go on, and connections wait", () => !changes, ServiceManager.Program, "restart", InstallLayout.UnitName);
            yield break;
        }

        yield return new InstallStep("stop", "vivd", "the daemon that runs; sandboxes go on", () => !changes || call.TryConnect() is not { } host || Close(host), () => DaemonState.Stop(call));
        yield return InstallSteps.Run("the daemon, now and with the machine", () => !changes, ServiceManager.Program, "enable", "--now", InstallLayout.UnitName);
    }

    private static bool Close(HostConnection host)
    {
        host.Dispose();
        return false;
    }

    private static List<string> OldDaemons(string programs, string current) => !Directory.Exists(programs)
        ? []
        : [.. new DirectoryInfo(programs).EnumerateDirectories(".vivd-*").Where(d => d.Name != current && d.LinkTarget is null && d.Name.IndexOf('.', 1) < 0).OrderByDescending(d => d.CreationTimeUtc).Skip(KeptDaemons - 1).Select(d => d.FullName)];

    private static bool GroupExists() => File.Exists("/etc/group") && File.ReadLines("/etc/group").Any(line => line.StartsWith(Group + ":", StringComparison.Ordinal));

    /// <summary>The build this program belongs to.</summary>
    public static string Source()
    {
        var self = Path.GetDirectoryName(Environment.ProcessPath) ?? "/";
        return File.Exists(Path.Combine(self, "vivd", "vivd")) && File.Exists(Path.Combine(self, "viv-supervisor")) && File.Exists(Path.Combine(self, "viv-guest")) && File.Exists(Path.Combine(self, "viv"))
            ? self
            : throw new VivariumException(ErrorCode.FailedPrecondition, $"there is no complete build beside {Environment.ProcessPath}", "From a checkout: ./viv install", "incomplete_build");
    }

    /// <summary>Where the .NET runtime is, when a service would not find it by itself.</summary>
    private static string? DotnetRoot()
    {
        string[] usual = ["/usr/share/dotnet", "/usr/lib/dotnet"];
        if (usual.Any(Directory.Exists) || File.Exists("/etc/dotnet/install_location"))
        {
            return null;
        }

        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } named)
        {
            return named;
        }

        var program = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(d => Path.Combine(d, "dotnet")).FirstOrDefault(File.Exists);
        return program is null ? null : Path.GetDirectoryName(File.ResolveLinkTarget(program, returnFinalTarget: true)?.FullName ?? program);
    }
}
