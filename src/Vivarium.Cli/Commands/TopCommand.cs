using System.CommandLine;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Terminal;
using Vivarium.Cli.Top;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv top</c>.</summary>
internal sealed class TopCommand : Verb
{
    private const int FirstLookMs = 500;
    private const long DefaultIntervalMs = 2000;
    private readonly Option<string> _sort = Opt.Text("--sort", "KEY", "cpu, memory, pids, disk, age or name; default cpu");
    private readonly Option<bool> _reverse = Opt.Flag("--reverse", "the other way round", "-r");
    private readonly Option<string> _interval = Opt.Text("--interval", "TIME", "between two looks; default 2s");
    private readonly Option<bool> _once = Opt.Flag("--once", "print the table once and end");
    private readonly Option<bool> _json = Opt.Json();

    public TopCommand()
        : base("top", "Shows what sandboxes use, live: CPU, memory, processes, disk. Keys: c m p d a n sort, r reverses, space looks now, q ends. Off a terminal it prints one table.")
    {
        foreach (var option in new Option[] { _sort, _reverse, _interval, _once, _json })
        {
            Options.Add(option);
        }
    }

    public static Verb Make() => new TopCommand
    {
        Usage = "[flags]",
        Examples = [("viv top", "q ends it"), ("viv top --sort memory --once", "for a script or a mail"), ("viv top --json | jq '.sandboxes[].cpus'", "CPUs in use, measured over half a second")],
    };

    public override int Run(Invocation call)
    {
        var sort = Values.OneOf(call.Get(_sort), "--sort", TopOrder.Keys) ?? "cpu";
        var interval = (int)Math.Clamp(Values.Duration(call.Get(_interval), "--interval") ?? DefaultIntervalMs, 200, 3_600_000);
        using var host = call.Connect();
        var sampler = new TopSampler(host);
        _ = sampler.Look();
        return call.Json || call.Get(_once) || !call.Output.IsTerminal || Environment.GetEnvironmentVariable("TERM") is null or "" or "dumb"
            ? Once(call, sampler, sort)
            : Live(call, sampler, sort, interval);
    }

    private int Once(Invocation call, TopSampler sampler, string sort)
    {
        using (var signals = SignalPipe.ForInterrupts())
        {
            signals.WaitWith(-1, FirstLookMs);
        }

        var rows = TopOrder.Sort(sampler.Look(), sort, call.Get(_reverse));
        if (call.Json)
        {
            call.Output.Raw(TopView.Json(rows, call.Clock));
        }
        else
        {
            TopView.Table(rows, call.Clock).WriteTo(call.Output);
        }

        return 0;
    }

    private int Live(Invocation call, TopSampler sampler, string sort, int interval)
    {
        var reverse = call.Get(_reverse);
        using var screen = new TopScreen(call.Output, call.Stdio.Input);
        var wait = FirstLookMs;
        var rows = sampler.Look();
        for (; ; )
        {
            screen.Draw($"{TopView.Summary(rows)}; by {sort}{(reverse ? ", reversed" : "")}", TopView.Table(TopOrder.Sort(rows, sort, reverse), call.Clock));
            switch (screen.Wait(wait))
            {
                case 'q' or 'Q':
                    return 0;
                case 'r':
                    reverse = !reverse;
                    break;
                case { } key when TopOrder.ForLetter(key) is { } chosen:
                    sort = chosen;
                    break;
                default:
                    rows = sampler.Look();
                    wait = interval;
                    break;
            }
        }
    }
}
