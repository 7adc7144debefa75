using System.CommandLine;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv fork</c>: sandboxes from another's data.</summary>
internal sealed class ForkCommand : Verb
{
    private const int Most = 100;
    private readonly Argument<string> _source = Opt.One("SOURCE", "a sandbox as it is now, SANDBOX@SNAPSHOT, or the id of a snapshot");
    private readonly Option<string> _count = Opt.Text("--count", "N", "how many, at most 100; all from one instant", "-n");
    private readonly Option<string> _name = Opt.Text("--name", "NAME", "name of the fork; of several, each gets a number behind it");
    private readonly Option<string[]> _label = Opt.Many("--label", "K=V", "label, besides the source's", "-l");
    private readonly Option<string[]> _secret = Opt.Many("--secret", "NAME[=FROM]", "secret for the forks, which inherit none; from env:VAR, file:PATH or - for standard input");
    private readonly Option<string> _timeout = Opt.Text("--timeout", "TIME", "end them after this time; default as the source");
    private readonly MemoryFlags _memory = new("with processes and memory, also of a sandbox as it is now (gvisor)", "with the files alone; processes start anew");
    private readonly Option<bool> _json = Opt.Json();

    public ForkCommand()
        : base("fork", "Makes sandboxes that begin with another's files (and processes, from a snapshot with memory), each with an identity of its own; prints their names. The source goes on undisturbed.")
    {
        Arguments.Add(_source);
        foreach (var option in (Option[])[_count, _name, _label, _secret, _timeout])
        {
            Options.Add(option);
        }

        _memory.AddTo(this);
        Options.Add(_json);
    }

    public static Verb Make() => new ForkCommand
    {
        Usage = "[flags] SOURCE",
        Examples =
        [
            ("viv fork quiet-fox", "one, from now"),
            ("viv fork -n 10 --name try quiet-fox@turn-0012", "try-1 to try-10, from the end of turn 12"),
        ],
    };

    public override int Run(Invocation call)
    {
        var parameters = new ForkParams
        {
            Ref = call.Get(_source)!,
            Count = Values.Integer(call.Get(_count), "--count", 1, Most),
            Name = call.Get(_name),
            Labels = Values.Pairs(call.Get(_label), "--label"),
            Secrets = SecretFlags.Read(call.Get(_secret), call.Stdio.Input),
            Memory = _memory.Of(call),
            TimeoutMs = Values.Duration(call.Get(_timeout), "--timeout"),
        };
        using var host = call.Connect();
        using var progress = new Progress(call.Messages, $"forking {parameters.Ref}", quiet: false);
        var forks = host.Call(HostMethod.Fork, parameters, HostJson.Default.ForkParams, HostJson.Default.SandboxList, new ConnectionWait(null, null, progress.Tick), progress.Report);
        if (call.Json)
        {
            JsonOut.Print(call.Output, forks, HostJson.Default.SandboxList);
            return 0;
        }

        foreach (var fork in forks.Sandboxes)
        {
            call.Output.Line(fork.Name);
        }

        return 0;
    }
}
