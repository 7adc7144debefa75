using System.CommandLine;
using Vivarium.Cli.Install;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv install</c>: also the upgrade.</summary>
internal sealed class InstallCommand : Verb
{
    private readonly Option<string> _prefix = Opt.Text("--prefix", "DIR", "below which programs go; default /usr/local");
    private readonly Option<string> _root = Opt.Text("--root", "DIR", "install into this directory as if it were the machine's root: for packages and images");
    private readonly Option<bool> _yes = Opt.Flag("--yes", "do not ask", "-y");
    private readonly Option<bool> _dryRun = Opt.Flag("--dry-run", "only say what would be done");
    private readonly Option<bool> _json = Opt.Json();

    public InstallCommand()
        : base("install", "Sets this machine up, or brings it up to this build: programs, systemd unit, group, configuration, completion. Says first what it will do. Running sandboxes go on.")
    {
        foreach (var option in new Option[] { _prefix, _root, _yes, _dryRun, _json })
        {
            Options.Add(option);
        }
    }

    public static Verb Make() => new InstallCommand
    {
        Usage = "[flags]",
        Examples = [("viv install --dry-run", "what it would do"), ("./viv install", "from a checkout; again after an update"), ("viv install --root /tmp/image --yes", "into a directory, for a package")],
    };

    public override int Run(Invocation call) =>
        PlanRun.Run(call, "install", InstallPlan.Install(Layout(call.Get(_root), call.Get(_prefix)), InstallPlan.Source(), call), call.Get(_dryRun), call.Get(_yes));

    /// <summary>Checks both paths.</summary>
    public static InstallLayout Layout(string? root, string? prefix)
    {
        var layout = new InstallLayout(root is null ? "/" : Path.GetFullPath(root), prefix is null ? "/usr/local" : prefix.TrimEnd('/'));
        if (!layout.Prefix.StartsWith('/') || layout.Prefix.Split('/').Any(part => part is "." or "..") || layout.Prefix.Any(c => char.IsControl(c) || c is ' ' or '%' or '"' or '\\' or '$'))
        {
            throw Invocation.Usage($"--prefix must be an absolute path of plain characters, not '{prefix}'");
        }

        return layout.IsThisMachine && !Environment.IsPrivilegedProcess
            ? throw new VivariumException(ErrorCode.PermissionDenied, "setting the machine up needs root", "sudo, or --root DIR to install into a directory", "needs_root")
            : layout;
    }
}
