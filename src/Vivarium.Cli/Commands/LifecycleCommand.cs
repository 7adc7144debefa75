using System.CommandLine;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv pause, resume, start</c>: verbs that take sandboxes and nothing else. Stop and restart add their flags.</summary>
internal abstract class LifecycleCommand : Verb
{
    private readonly Argument<string[]> _sandboxes = Opt.Any("SANDBOX…", "name, id or unambiguous prefix");
    private readonly Option<bool> _all = Opt.Flag("--all", "every sandbox in a state for it", "-a");
    private readonly Option<bool> _json = Opt.Json();
    private readonly string[] _from;

    /// <param name="name">Verb.</param>
    /// <param name="description">What it does.</param>
    /// <param name="from">States that --all picks.</param>
    protected LifecycleCommand(string name, string description, params string[] from)
        : base(name, description)
    {
        _from = from;
        Arguments.Add(_sandboxes);
        Options.Add(_all);
        Options.Add(_json);
    }

    public sealed override int Run(Invocation call)
    {
        using var host = call.Connect();
        var references = References.Resolve(host, call.Get(_sandboxes), call.Get(_all), _from);
        using var progress = new Progress(call.Messages, Name, quiet: false);
        return References.ForEach(references, call, reference =>
        {
            progress.Report($"{Name} {reference}", null);
            var sandbox = Apply(host, reference, call, new Interop.ConnectionWait(null, null, progress.Tick));
            if (call.Json)
            {
                JsonOut.Print(call.Output, sandbox, HostJson.Default.SandboxInfo);
            }
            else
            {
                call.Output.Line(sandbox.Name);
            }
        });
    }

    protected abstract SandboxInfo Apply(HostConnection host, string reference, Invocation call, Interop.ConnectionWait wait);

    protected static SandboxInfo Call(HostConnection host, string method, string reference, Interop.ConnectionWait wait) =>
        host.Call(method, new RefParams { Ref = reference }, HostJson.Default.RefParams, HostJson.Default.SandboxInfo, wait);
}
