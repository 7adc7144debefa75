using System.CommandLine;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv rm</c>.</summary>
internal sealed class RemoveCommand : Verb
{
    private readonly Argument<string[]> _sandboxes = Opt.Any("SANDBOX…", "name, id or unambiguous prefix");
    private readonly Option<bool> _force = Opt.Flag("--force", "also when it is running", "-f");
    private readonly Option<bool> _all = Opt.Flag("--all", "every sandbox", "-a");
    private readonly Option<bool> _now = Opt.Flag("--now", "do not let it stop in order first");
    private readonly Option<bool> _json = Opt.Json();

    public RemoveCommand()
        : base("rm", "Removes sandboxes with everything in them.")
    {
        Arguments.Add(_sandboxes);
        foreach (var option in new Option[] { _force, _all, _now, _json })
        {
            Options.Add(option);
        }
    }

    public static Verb Make() => new RemoveCommand
    {
        Usage = "[flags] SANDBOX…",
        Examples = [("viv rm quiet-fox old-owl", "stopped ones"), ("viv rm -f quiet-fox", "a running one"), ("viv rm -fa", "all of them")],
    };

    public override int Run(Invocation call)
    {
        using var host = call.Connect();
        var references = References.Resolve(host, call.Get(_sandboxes), call.Get(_all));
        return References.ForEach(references, call, reference =>
        {
            host.Call(
                HostMethod.Destroy,
                new DestroyParams { Ref = reference, Force = call.Get(_force), Now = call.Get(_now) },
                HostJson.Default.DestroyParams,
                HostJson.Default.Empty);
            if (!call.Json)
            {
                call.Output.Line(reference);
            }
        });
    }
}
