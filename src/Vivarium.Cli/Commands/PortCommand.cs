using System.CommandLine;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv port</c>: publishes ports of a sandbox on this machine, takes them back, lists them.</summary>
internal sealed class PortCommand : Verb
{
    private readonly Argument<string> _sandbox = Opt.One("SANDBOX", "name, id or unambiguous prefix");
    private readonly Argument<string[]> _ports = Opt.Any("PORT…", "GUEST[:HOST] on loopback, or ADDRESS:HOST:GUEST; without one: what is published");
    private readonly Option<bool> _remove = Opt.Flag("--rm", "take the ports back; open connections stay");
    private readonly Option<bool> _json = Opt.Json();

    public PortCommand()
        : base("port", "Publishes ports of a sandbox on this machine, without a network in the sandbox. Published ports stay until taken back, over stop and start.")
    {
        Arguments.Add(_sandbox);
        Arguments.Add(_ports);
        Options.Add(_remove);
        Options.Add(_json);
    }

    public static Verb Make() => new PortCommand
    {
        Usage = "[flags] SANDBOX [PORT…]",
        Examples =
        [
            ("curl http://$(viv port web 8000)", "its port 8000 on a free port of loopback, which is printed"),
            ("viv port web 8000:8080", "port 8000 of the sandbox at 127.0.0.1:8080"),
            ("viv port web 0.0.0.0:8080:8000", "the same for the whole network of this machine"),
            ("viv port web", "what is published"),
            ("viv port --rm web 8000", "no longer, wherever it was"),
        ],
    };

    public override int Run(Invocation call)
    {
        var sandbox = call.Get(_sandbox)!;
        PublishedPort[] ports = [.. (call.Get(_ports) ?? []).Select(text => PortText.Parse("the port", text))];
        if (ports.Length == 0 && call.Get(_remove))
        {
            throw Invocation.Usage("--rm: name at least one port", $"'viv port {sandbox}' lists them");
        }

        using var host = call.Connect();
        if (ports.Length == 0)
        {
            List(call, host, sandbox);
            return 0;
        }

        foreach (var port in ports)
        {
            var parameters = new PortParams { Ref = sandbox, Port = port };
            if (call.Get(_remove))
            {
                host.Call(HostMethod.UnpublishPort, parameters, HostJson.Default.PortParams, HostJson.Default.Empty);
                continue;
            }

            var published = host.Call(HostMethod.PublishPort, parameters, HostJson.Default.PortParams, HostJson.Default.PublishedPort);
            if (call.Json)
            {
                JsonOut.Print(call.Output, published, HostJson.Default.PublishedPort);
            }
            else
            {
                call.Output.Line(PortText.HostOf(published));
            }
        }

        return 0;
    }

    private static void List(Invocation call, HostConnection host, string sandbox)
    {
        var ports = host.Call(HostMethod.Get, new RefParams { Ref = sandbox }, HostJson.Default.RefParams, HostJson.Default.SandboxInfo).Ports ?? [];
        if (call.Json)
        {
            JsonOut.Print(call.Output, new SandboxPorts { Listeners = [], Published = ports }, HostJson.Default.SandboxPorts);
        }
        else
        {
            Tables.Published(ports).WriteTo(call.Output);
        }
    }
}
