using System.CommandLine;
using System.Globalization;
using Vivarium.Cli.Parsing;
using Vivarium.Configuration.Values;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv kill</c>.</summary>
internal sealed class KillCommand : Verb
{
    private readonly Argument<string> _sandbox = Opt.One("SANDBOX", "name, id or unambiguous prefix");
    private readonly Argument<string[]> _processes = Opt.Some("PID…", "process id, or tag");
    private readonly Option<string> _signal = Opt.Text("--signal", "SIG", "name or number; default TERM", "-s");
    private readonly Option<bool> _only = Opt.Flag("--only", "the process alone, not its whole tree");

    public KillCommand()
        : base("kill", "Signals processes in a sandbox, each with its whole tree.")
    {
        Arguments.Add(_sandbox);
        Arguments.Add(_processes);
        Options.Add(_signal);
        Options.Add(_only);
    }

    public static Verb Make() => new KillCommand
    {
        Usage = "[flags] SANDBOX PID…",
        Examples = [("viv kill quiet-fox 17", "ask it to end"), ("viv kill -s KILL quiet-fox web", "end the process tagged web and its children")],
    };

    public override int Run(Invocation call)
    {
        var signal = Signal(call.Get(_signal));
        using var host = call.Connect();
        return References.ForEach([.. call.Get(_processes)!], call, word =>
        {
            var isPid = int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var pid);
            var isId = word.StartsWith("proc-", StringComparison.Ordinal);
            host.Call(
                HostMethod.Kill,
                new KillParams { Ref = call.Get(_sandbox)!, Pid = isPid ? pid : 0, Id = isId ? word : null, Tag = isPid || isId ? null : word, Signal = signal, Tree = !call.Get(_only) },
                HostJson.Default.KillParams,
                HostJson.Default.Empty);
        });
    }

    /// <summary>A name with or without SIG in any case, or a number from 1 to 64.</summary>
    internal static int Signal(string? text)
    {
        if (text is null)
        {
            return 15;
        }

        if (Signals.Parse(text) is { } signal)
        {
            return signal;
        }

        if (text.All(char.IsAsciiDigit))
        {
            throw Values.Bad("--signal", text, "a signal from 1 to 64");
        }

        var names = Enumerable.Range(1, 31).Select(Signals.Name).SelectMany(name => new[] { name, name[3..] });
        var near = Suggestion.Nearest(text, names);
        throw Invocation.Usage($"--signal: there is no signal '{text}'", near is null ? "names as in signal(7), such as TERM, KILL, HUP" : $"did you mean {near}?");
    }
}
