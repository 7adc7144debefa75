using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv health</c>: exit code 0 healthy, 1 degraded or unhealthy.</summary>
internal sealed class HealthCommand : Verb
{
    private readonly Option<bool> _json = Opt.Json();

    public HealthCommand()
        : base("health", "Shows what is not well now. Exit code 0 when all is, 1 when something is not.") => Options.Add(_json);

    public static Verb Make() => new HealthCommand { Usage = "[flags]", Examples = [("viv health || notify-send 'vivarium needs a look'", "in a script")] };

    public override int Run(Invocation call)
    {
        using var host = call.Connect();
        var health = host.Call(HostMethod.Health, HostJson.Default.HealthReply);
        if (call.Json)
        {
            JsonOut.Print(call.Output, health, HostJson.Default.HealthReply);
        }
        else
        {
            call.Output.Line(Style.ForState(health.Status) is { } style ? Style.Paint(call.Output.Color, style, health.Status) : health.Status);
            foreach (var condition in health.Conditions)
            {
                call.Output.Line($"  {Style.Safe(condition.Name)} ({condition.Severity}, since {Humanize.Since(condition.SinceUnixMs, call.Clock)}): {Style.Safe(condition.Message)}");
            }

            if (health.WarmPool is { Shapes.Count: > 0 } warm)
            {
                call.Output.Line($"  warm pool: {warm.Ready} of at most {warm.Max} ready, {warm.Taken} taken{(warm.Held is { } why ? $"; held back: {Style.Safe(why)}" : "")}");
                foreach (var shape in warm.Shapes)
                {
                    call.Output.Line($"    {Style.Safe(shape.Template)} {Style.Safe(shape.Runtime)}, {shape.Cpus} CPUs, {Humanize.Bytes(shape.MemoryBytes)}: {shape.Ready} of {shape.Wanted}");
                }
            }
        }

        return health.Status == "healthy" ? 0 : 1;
    }
}
