using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv diff</c>: what differs between two points of a sandbox.</summary>
internal sealed class DiffCommand : Verb
{
    private readonly Argument<string> _sandbox = Opt.One("SANDBOX", "name, id or unambiguous prefix");
    private readonly Argument<string?> _from = Opt.Maybe("FROM", "earlier snapshot, or origin; default the one the sandbox comes from");
    private readonly Argument<string?> _to = Opt.Maybe("TO", "later snapshot; default now");
    private readonly Option<string> _limit = Opt.Text("--limit", "N", "print at most so many; default 10000");
    private readonly Option<bool> _json = Opt.Json();

    public DiffCommand()
        : base("diff", "Shows which files were added (+), changed (~) and removed (-) between two snapshots, or since one, with their sizes.")
    {
        Arguments.Add(_sandbox);
        Arguments.Add(_from);
        Arguments.Add(_to);
        Options.Add(_limit);
        Options.Add(_json);
    }

    public static Verb Make() => new DiffCommand
    {
        Usage = "[flags] SANDBOX [FROM [TO]]",
        Examples =
        [
            ("viv diff quiet-fox", "since its last snapshot"),
            ("viv diff quiet-fox origin", "all it ever changed"),
            ("viv diff quiet-fox turn-0003 turn-0007", "between two turns"),
        ],
    };

    public override int Run(Invocation call)
    {
        var parameters = new DiffParams
        {
            Ref = call.Get(_sandbox)!,
            From = call.Get(_from),
            To = call.Get(_to),
            Limit = Values.Integer(call.Get(_limit), "--limit", 0, 50_000),
        };
        using var host = call.Connect();
        var diff = host.Call(HostMethod.Diff, parameters, HostJson.Default.DiffParams, HostJson.Default.DiffReply);
        if (call.Json)
        {
            JsonOut.Print(call.Output, diff, HostJson.Default.DiffReply);
            return 0;
        }

        var output = call.Output;
        foreach (var entry in diff.Entries)
        {
            var (mark, style) = entry.Change switch { "added" => ("+", Style.Good), "removed" => ("-", Style.Bad), _ => ("~", Style.Warning) };
            output.Write(Style.Paint(output.Color, style, mark)).Write(" ").Write(Style.Safe(entry.Path)).Write(entry.Type == "directory" ? "/" : "").Line(Style.Paint(output.Color, Style.Faint, Size(entry)));
        }

        output.Flush();
        var all = diff.Summary;
        call.Messages.Line($"{diff.From} → {diff.To}: {all.Added} added, {all.Changed} changed, {all.Removed} removed{(diff.Truncated ? $"; the first {diff.Entries.Count} are shown" : "")}").Flush();
        return 0;
    }

    private static string Size(ChangeEntry entry) => entry switch
    {
        { Type: not "file" } => "",
        { SizeBefore: { } before, SizeAfter: { } after } when before != after => $"  {Humanize.Bytes(before)} → {Humanize.Bytes(after)}",
        { SizeAfter: { } after } => $"  {Humanize.Bytes(after)}",
        { SizeBefore: { } before } => $"  {Humanize.Bytes(before)}",
        _ => "",
    };
}
