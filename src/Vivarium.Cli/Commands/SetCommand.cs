using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv set</c>: changes a sandbox that exists. Another setting is one option here and one member of <see cref="SetParams"/>.</summary>
internal sealed class SetCommand : Verb
{
    private readonly Argument<string[]> _sandboxes = Opt.Some("SANDBOX…", "name, id or unambiguous prefix");
    private readonly Option<string> _cpus = Opt.Text("--cpus", "N", "CPUs, may be a fraction");
    private readonly Option<string> _memory = Opt.Text("--memory", "SIZE", "memory; refused below what is in use", "-m");
    private readonly Option<string> _disk = Opt.Text("--disk", "SIZE", "disk space beyond the template, 0 for no limit");
    private readonly Option<string> _pids = Opt.Text("--pids", "N", "processes and threads");
    private readonly Option<string> _timeout = Opt.Text("--timeout", "TIME", "life from now, 0 for no limit");
    private readonly Option<string> _idleTimeout = Opt.Text("--idle-timeout", "TIME", "life without activity, 0 for no limit");
    private readonly Option<string> _onTimeout = Opt.Text("--on-timeout", "WORD", "when its time is up: kill or pause");
    private readonly Option<string[]> _label = Opt.Many("--label", "K=V", "add or change a label", "-l");
    private readonly Option<string[]> _noLabel = Opt.Many("--no-label", "K", "take a label away");
    private readonly Option<bool> _json = Opt.Json();
    private readonly NetworkFlags _network;

    public SetCommand()
        : base("set", "Changes limits, timeouts, labels and the network of sandboxes, at once where they run. Everything is checked before anything is changed.")
    {
        Arguments.Add(_sandboxes);
        Option[] options = [_cpus, _memory, _disk, _pids, _timeout, _idleTimeout, _onTimeout, _label, _noLabel];
        foreach (var option in options)
        {
            Options.Add(option);
        }

        _network = new NetworkFlags(this);
        Options.Add(_json);
    }

    public static Verb Make() => new SetCommand
    {
        Usage = "[flags] SANDBOX…",
        Examples =
        [
            ("viv set --memory 2GiB --cpus 4 quiet-fox", "more, while it runs"),
            ("viv set --disk 10GiB quiet-fox", "room to write again after 'Disk quota exceeded'"),
            ("viv set --allow 10.1.2.3:5432 --deny all quiet-fox", "one address and nothing else; a list given replaces the list there was, 'none' empties it"),
            ("viv set --timeout 2h --label owner=ann quiet-fox", "two more hours from now"),
        ],
    };

    public override int Run(Invocation call)
    {
        var wanted = new SetParams
        {
            Ref = "",
            Cpus = Values.Number(call.Get(_cpus), "--cpus"),
            MemoryBytes = Values.Size(call.Get(_memory), "--memory"),
            DiskBytes = Values.Size(call.Get(_disk), "--disk"),
            Pids = Values.Integer(call.Get(_pids), "--pids", 1, 4_194_304),
            TimeoutMs = Values.Duration(call.Get(_timeout), "--timeout"),
            IdleTimeoutMs = Values.Duration(call.Get(_idleTimeout), "--idle-timeout"),
            OnTimeout = Values.OneOf(call.Get(_onTimeout), "--on-timeout", "kill", "pause"),
            Labels = Values.Pairs(call.Get(_label), "--label"),
            RemoveLabels = call.Get(_noLabel) is { Length: > 0 } names ? names : null,
        };
        var network = new SetNetworkParams { Ref = "", Network = _network.Mode(call), Policy = _network.Policy(call), Reset = _network.IsFile(call) };
        if (wanted == new SetParams { Ref = "" } && network == new SetNetworkParams { Ref = "" })
        {
            throw Invocation.Usage("say what to set", "viv set --help lists it");
        }

        using var host = call.Connect();
        return References.ForEach([.. call.Get(_sandboxes)!], call, reference =>
        {
            if (network != new SetNetworkParams { Ref = "" })
            {
                var changed = host.Call(HostMethod.SetNetwork, network with { Ref = reference }, HostJson.Default.SetNetworkParams, HostJson.Default.SetNetworkReply);
                if (changed.Cut > 0)
                {
                    call.Messages.Line($"viv: {changed.Sandbox.Name}: cut {changed.Cut} open connection{(changed.Cut == 1 ? "" : "s")}").Flush();
                }
            }

            var reply = host.Call(HostMethod.Set, wanted with { Ref = reference }, HostJson.Default.SetParams, HostJson.Default.SetReply);
            if (call.Json)
            {
                JsonOut.Print(call.Output, reply, HostJson.Default.SetReply);
                return;
            }

            call.Output.Line(reply.Sandbox.Name);
            foreach (var note in reply.AtNextStart ?? [])
            {
                call.Messages.Line($"viv: {reply.Sandbox.Name}: {note}").Flush();
            }
        });
    }
}
