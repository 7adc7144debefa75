using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Terminal;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv create</c>: a sandbox that stays.</summary>
internal sealed class CreateCommand : Verb
{
    private readonly Option<bool> _json = Opt.Json();
    private readonly Option<bool> _quiet = Opt.Flag("--quiet", "no progress", "-q");
    private readonly SandboxFlags _flags;

    public CreateCommand()
        : base("create", "Makes a sandbox and leaves it running; prints its name.")
    {
        _flags = new SandboxFlags(this);
        Options.Add(_quiet);
        Options.Add(_json);
    }

    public static Verb Make() => new CreateCommand
    {
        Usage = "[flags]",
        Examples =
        [
            ("viv create --name work", "a sandbox named work"),
            ("viv create --template tiny --memory 128MiB --idle-timeout 30m", "a small one that goes away when nobody uses it"),
            ("viv create -p 8000", "its port 8000 on a free port of this machine, which is printed"),
            ("SB=$(viv create) && viv exec $SB -- id", "in a script"),
        ],
    };

    public override int Run(Invocation call)
    {
        var parameters = _flags.ToParams(call);
        using var signals = SignalPipe.ForInterrupts();
        using var host = call.Connect();
        var sandbox = SandboxCreation.Create(host, parameters, call, signals, call.Get(_quiet));
        if (call.Json)
        {
            JsonOut.Print(call.Output, sandbox, HostJson.Default.SandboxInfo);
        }
        else
        {
            PortText.Announce(sandbox, call.Messages);
            call.Output.Line(sandbox.Name);
        }

        return 0;
    }
}
