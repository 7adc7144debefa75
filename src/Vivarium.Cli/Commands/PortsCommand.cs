using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv ports</c>: listeners inside, and where they are published.</summary>
internal sealed class PortsCommand : Verb
{
    private readonly Argument<string> _sandbox = Opt.One("SANDBOX", "name, id or unambiguous prefix");
    private readonly Option<bool> _json = Opt.Json();

    public PortsCommand()
        : base("ports", "Lists what listens in a sandbox, with the processes, and where it is published.")
    {
        Arguments.Add(_sandbox);
        Options.Add(_json);
    }

    public static Verb Make() => new PortsCommand
    {
        Usage = "[flags] SANDBOX",
        Examples = [("viv ports web", "which services it has"), ("viv port web 8000", "publish one of them")],
    };

    public override int Run(Invocation call)
    {
        using var host = call.Connect();
        var ports = host.Call(HostMethod.Ports, new RefParams { Ref = call.Get(_sandbox)! }, HostJson.Default.RefParams, HostJson.Default.SandboxPorts);
        if (call.Json)
        {
            JsonOut.Print(call.Output, ports, HostJson.Default.SandboxPorts);
            return 0;
        }

        Tables.Ports(ports).WriteTo(call.Output);
        if (ports.Missing is { } missing)
        {
            call.Messages.Line($"viv: {Style.Safe(missing)}").Flush();
        }

        return 0;
    }
}
