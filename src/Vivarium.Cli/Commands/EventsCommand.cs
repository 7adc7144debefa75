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
    /// <summary>Without --follow the remembered events arrive in one go; silence for this long is their end.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromMilliseconds(300);

    private readonly Argument<string?> _sandbox = Opt.Maybe("SANDBOX", "only about this one");
    private readonly Option<bool> _follow = Opt.Flag("--follow", "go on until interrupted", "-f");
    private readonly Option<string> _after = Opt.Text("--after", "N", "only events after this number");
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
        var after = Values.Integer(call.Get(_after), "--after", 0, int.MaxValue) ?? 0;
        using var signals = SignalPipe.ForInterrupts();
        using var host = call.Connect();
        host.Call(HostMethod.Events, new SubscribeParams { Ref = call.Get(_sandbox), After = after, Once = !follow }, HostJson.Default.SubscribeParams, HostJson.Default.Empty);
        for (; ; )
        {
            HostEvent? happened;
            try
            {
                happened = host.Next(HostMethod.EventNotification, HostJson.Default.HostEvent, new ConnectionWait(follow ? null : Silence, signals));
            }
            catch (Wire.Errors.VivariumException e) when (!follow && e.Code == Wire.Errors.ErrorCode.DeadlineExceeded)
            {
                return 0;
            }

            if (happened is null)
            {
                return follow ? throw UnixConnection.Gone() : 0;
            }

            Write(call, happened);
        }
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
