using System.CommandLine;
using Vivarium.Cli.Install;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv uninstall</c>.</summary>
internal sealed class UninstallCommand : Verb
{
    private readonly Option<string> _prefix = Opt.Text("--prefix", "DIR", "as given to 'viv install'");
    private readonly Option<string> _root = Opt.Text("--root", "DIR", "as given to 'viv install'");
    private readonly Option<bool> _purge = Opt.Flag("--purge", "also sandboxes, volumes, templates, logs, configuration and group");
    private readonly Option<bool> _force = Opt.Flag("--force", "also while sandboxes run: they go on without a daemon, with --purge they are removed", "-f");
    private readonly Option<bool> _yes = Opt.Flag("--yes", "do not ask", "-y");
    private readonly Option<bool> _dryRun = Opt.Flag("--dry-run", "only say what would be done");
    private readonly Option<bool> _json = Opt.Json();

    public UninstallCommand()
        : base("uninstall", "Takes away what 'viv install' put there. Data and configuration stay, unless --purge is given. Says first what it will do; refuses while sandboxes run.")
    {
        foreach (var option in new Option[] { _prefix, _root, _purge, _force, _yes, _dryRun, _json })
        {
            Options.Add(option);
        }
    }

    public static Verb Make() => new UninstallCommand
    {
        Usage = "[flags]",
        Examples = [("viv uninstall --dry-run", "what would go"), ("viv uninstall --purge", "everything, also the data")],
    };

    public override int Run(Invocation call)
    {
        var layout = InstallCommand.Layout(call.Get(_root), call.Get(_prefix));
        var steps = InstallPlan.Uninstall(layout, call, call.Get(_purge));
        if (layout.IsThisMachine && Running(call) is { Count: > 0 } running)
        {
            if (!call.Get(_force))
            {
                throw new VivariumException(
                    ErrorCode.FailedPrecondition,
                    $"uninstalling: {running.Count} sandbox{(running.Count == 1 ? " runs" : "es run")}, among them {running[0]}",
                    "Remove them (viv rm -fa), or say --force.",
                    "sandboxes_run");
            }

            if (call.Get(_purge))
            {
                steps = [.. running.Select(name => Removal(call, name)), .. steps];
            }
        }

        return PlanRun.Run(call, "uninstall", steps, call.Get(_dryRun), call.Get(_yes));
    }

    private static List<string> Running(Invocation call)
    {
        using var host = call.TryConnect();
        return host is null
            ? []
            : [.. host.Call(HostMethod.List, new ListParams(), HostJson.Default.ListParams, HostJson.Default.SandboxList).Sandboxes
                .Where(s => s.State is not (SandboxState.Stopped or SandboxState.Failed)).Select(s => s.Name)];
    }

    private static InstallStep Removal(Invocation call, string name) => new("remove", "sandbox " + name, "it runs", static () => false, () =>
    {
        using var host = call.Connect();
        host.Call(HostMethod.Destroy, new DestroyParams { Ref = name, Force = true, Now = true }, HostJson.Default.DestroyParams, HostJson.Default.Empty);
    });
}
