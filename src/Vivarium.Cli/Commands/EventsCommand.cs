using System.CommandLine;
using System.Globalization;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Terminal;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv events</c>.</summary>
internal sealed class EventsCommand : Verb
{
    private readonly Argument<string?> _sandbox = Opt.Maybe("SANDBOX", "only about this one");
    private readonly Option<bool> _follow = Opt.Flag("--follow", "go on until interrupted", "-f");
    private readonly Option<string> _after = Opt.Text("--after", "N", "only events after this number; with --follow also those that are remembered");
    private readonly Option<bool> _json = Opt.Json();

    public EventsCommand()
        : base("events", "Shows what happened; with --follow what happens.")
    {
        Arguments.Add(_sandbox);
        Options.Add(_follow);
        Options.Add(_after);
        Options.Add(_json);
    }

    public static Verb Make() => new EventsCommand
    {
        Usage = "[flags] [SANDBOX]",
        Examples = [("viv events", "what the daemon remembers"), ("viv events -f --json | jq .type", "a JSON object per event and line, as they come")],
    };

    public override int Run(Invocation call)
    {
        var follow = call.Get(_follow);
        var after = Values.Integer(call.Get(_after), "--after", 0, int.MaxValue);
        using var signals = SignalPipe.ForInterrupts();
        using var host = call.Connect();

        // The remembered ones come before the answer.
        var parameters = new SubscribeParams { Ref = call.Get(_sandbox), After = follow ? after : after ?? 0, Once = !follow };
        host.Call(HostMethod.Events, parameters, HostJson.Default.SubscribeParams, HostJson.Default.Empty, new ConnectionWait(null, signals), null, happened => Write(call, happened));
        while (follow)
        {
            Write(call, host.Next(HostMethod.EventNotification, HostJson.Default.HostEvent, new ConnectionWait(null, signals)) ?? throw UnixConnection.Gone());
        }

        return 0;
    }

    private static void Write(Invocation call, HostEvent happened)
    {
        if (call.Json)
        {
            JsonOut.PrintLine(call.Output, happened, HostJson.Default.HostEvent);
            return;
        }

        var output = call.Output;
        output.Write(Style.Paint(output.Color, Style.Faint, Humanize.Time(happened.UnixMs, call.Clock))).Write("  ");
        output.Write(happened.Sequence.ToString(CultureInfo.InvariantCulture).PadLeft(5)).Write("  ").Write(Style.Safe(happened.Type).PadRight(20));
        output.Line($"  {Style.Safe(happened.SandboxName ?? happened.SandboxId ?? "")}{(happened.Reason is { } reason ? $" ({Style.Safe(reason)})" : "")}{(happened.Message is { } text ? $": {Style.Safe(text)}" : "")}".TrimEnd());
        output.Flush();
    }
}
