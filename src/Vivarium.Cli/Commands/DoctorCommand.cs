using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv doctor</c>.</summary>
internal sealed class DoctorCommand : Verb
{
    private readonly Option<bool> _json = Opt.Json();

    public DoctorCommand()
        : base("doctor", "Checks what this machine can do; changes nothing. Exit code 1 when a check fails.") => Options.Add(_json);

    public static Verb Make() => new DoctorCommand { Usage = "[flags]", Examples = [("viv doctor", "PASS, WARN or FAIL per feature, with a hint each")] };

    public override int Run(Invocation call)
    {
        using var host = call.Connect();
        using var progress = new Progress(call.Messages, "checking", quiet: false);
        var reply = host.Call(HostMethod.Doctor, HostJson.Default.DoctorReply, new Interop.ConnectionWait(TimeSpan.FromMinutes(2), null, progress.Tick));
        progress.Dispose();
        if (call.Json)
        {
            JsonOut.Print(call.Output, reply, HostJson.Default.DoctorReply);
        }
        else
        {
            var width = reply.Checks.Count == 0 ? 0 : reply.Checks.Max(check => check.Name.Length);
            foreach (var check in reply.Checks)
            {
                var word = Style.ForState(check.Status) is { } style ? Style.Paint(call.Output.Color, style, check.Status.ToUpperInvariant()) : check.Status;
                call.Output.Line($"{word}  {Style.Safe(check.Name).PadRight(width)}  {Style.Safe(check.Message)}");
                if (check.Hint is { Length: > 0 } hint)
                {
                    call.Output.Line($"      {new string(' ', width)}  hint: {Style.Safe(hint)}");
                }
            }
        }

        return reply.Checks.Any(check => check.Status == "fail") ? 1 : 0;
    }
}
