using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Terminal;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv stats</c>: what sandboxes use. CPU is measured over half a second, or between two looks with --stream.</summary>
internal sealed class StatsCommand : Verb
{
    private const int FirstLookMs = 500;
    private const int StreamMs = 2000;
    private readonly Argument<string[]> _sandboxes = Opt.Any("SANDBOX…", "name, id or unambiguous prefix; without any: all that run");
    private readonly Option<bool> _stream = Opt.Flag("--stream", "again every two seconds, until interrupted", "-s");
    private readonly Option<bool> _json = Opt.Json();

    public StatsCommand()
        : base("stats", "Shows what sandboxes use: CPU, memory, processes, disk.")
    {
        Arguments.Add(_sandboxes);
        Options.Add(_stream);
        Options.Add(_json);
    }

    public static Verb Make() => new StatsCommand
    {
        Usage = "[flags] [SANDBOX…]",
        Examples = [("viv stats", "all that run"), ("viv stats --stream quiet-fox", "watch one"), ("viv stats --json", "a JSON object per sandbox and line")],
    };

    public override int Run(Invocation call)
    {
        using var signals = SignalPipe.ForInterrupts();
        using var host = call.Connect();
        var before = Look(host, call);
        if (!call.Json || call.Get(_stream))
        {
            Pause(signals, FirstLookMs);
        }

        for (; ; )
        {
            var now = call.Json && !call.Get(_stream) ? before : Look(host, call);
            if (call.Json)
            {
                now.ForEach(sample => Print(call, sample));
                call.Output.Flush();
            }
            else
            {
                Show(call, before, now, call.Get(_stream));
            }

            if (!call.Get(_stream))
            {
                return 0;
            }

            before = now;
            Pause(signals, StreamMs);
        }
    }

    private List<Sample> Look(HostConnection host, Invocation call)
    {
        IEnumerable<string> references = call.Get(_sandboxes) is { Length: > 0 } named ? named
            : host.Call(HostMethod.List, new ListParams { States = [SandboxState.Running, SandboxState.Paused] }, HostJson.Default.ListParams, HostJson.Default.SandboxList)
                .Sandboxes.Select(sandbox => sandbox.Name);
        var samples = new List<Sample>();
        foreach (var reference in references)
        {
            try
            {
                var usage = host.Call(HostMethod.Stats, new RefParams { Ref = reference }, HostJson.Default.RefParams, HostJson.Default.SandboxUsage);
                samples.Add(new Sample(reference, usage, Environment.TickCount64));
            }
            catch (RemoteException e) when (call.Get(_sandboxes) is not { Length: > 0 } && e.Info.Code is "not_found" or "failed_precondition" or "unavailable")
            {
                // It ended between the list and the look.
            }
        }

        return samples;
    }

    private static void Show(Invocation call, List<Sample> before, List<Sample> now, bool stream)
    {
        var table = new Table("NAME", "CPU", "MEMORY", "LIMIT", "MEM", "PIDS", "DISK", "OOM");
        foreach (var (name, usage, at) in now)
        {
            var earlier = before.FirstOrDefault(sample => sample.Name == name);
            double? cpu = earlier is { Usage.CpuUs: { } from } && usage.CpuUs is { } to && at > earlier.At ? (to - from) / 1000.0 / (at - earlier.At) : null;
            table.Add(
                name,
                cpu is { } part ? Humanize.Percent(Math.Max(part, 0)) : "-",
                usage.MemoryBytes is { } memory ? Humanize.Bytes(memory) : "-",
                usage.MemoryLimitBytes is { } limit ? Humanize.Bytes(limit) : "-",
                usage is { MemoryBytes: { } used, MemoryLimitBytes: { } most and > 0 } ? Humanize.Percent((double)used / most) : "-",
                usage.Pids is { } pids ? $"{pids}{(usage.PidsLimit is { } max ? $"/{max}" : "")}" : "-",
                usage.Guest?.DiskUsedBytes is { } disk ? Humanize.Bytes(disk) : "-",
                usage.OomKills is { } kills and > 0 ? new Cell(kills.ToString(CultureInfo.InvariantCulture), Style.Bad) : "-");
        }

        if (stream && call.Output.IsTerminal)
        {
            call.Output.Write("\u001b[H\u001b[2J");
        }

        table.WriteTo(call.Output);
        call.Output.Flush();
    }

    private static void Print(Invocation call, Sample sample)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartObject();
            writer.WriteString("sandbox", sample.Name);
            writer.WritePropertyName("usage");
            JsonSerializer.Serialize(writer, sample.Usage, HostJson.Default.SandboxUsage);
            writer.WriteEndObject();
        }

        bytes.WriteByte((byte)'\n');
        call.Output.Raw(bytes.ToArray());
    }

    private static void Pause(SignalPipe signals, int milliseconds) => signals.WaitWith(-1, milliseconds);

    private sealed record Sample(string Name, SandboxUsage Usage, long At);
}
