using System.CommandLine;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv snapshots</c>: the tree of a sandbox's snapshots, and what can be done to them.</summary>
internal sealed class SnapshotsCommand : Verb
{
    private readonly Argument<string?> _sandbox = Opt.Maybe("SANDBOX", "name, id or unambiguous prefix; default every sandbox");
    private readonly Option<string> _kind = Opt.Text("--kind", "KIND", "only turn, tool, named or pause snapshots");
    private readonly Option<bool> _quiet = Opt.Flag("--quiet", "names only", "-q");
    private readonly Option<string> _show = Opt.Text("--show", "SNAPSHOT", "everything about one");
    private readonly Option<string[]> _remove = Opt.Many("--rm", "SNAPSHOT", "delete one; what comes from it stays");
    private readonly Option<string[]> _hold = Opt.Many("--hold", "SNAPSHOT", "keep one until it is let go, also when the sandbox is removed");
    private readonly Option<string[]> _unhold = Opt.Many("--unhold", "SNAPSHOT", "let go of a held one");
    private readonly Option<string> _rename = Opt.Text("--rename", "OLD=NEW", "give a named one another name");
    private readonly Option<bool> _json = Opt.Json();

    public SnapshotsCommand()
        : base("snapshots", "Lists snapshots as a tree, with time, new data and changes; * is where the sandbox stands. A snapshot is named by its name, its turn's number or its id.")
    {
        Arguments.Add(_sandbox);
        foreach (var option in (Option[])[_kind, _quiet, _show, _remove, _hold, _unhold, _rename, _json])
        {
            Options.Add(option);
        }
    }

    public static Verb Make() => new SnapshotsCommand
    {
        Usage = "[flags] [SANDBOX]",
        Examples =
        [
            ("viv snapshots quiet-fox", "the tree"),
            ("viv snapshots --show 12 quiet-fox", "turn 12, with the first of what it changed"),
            ("viv snapshots --rename try-1=works --hold works quiet-fox", "keep one for good, under a better name"),
        ],
    };

    public override int Run(Invocation call)
    {
        var sandbox = call.Get(_sandbox);
        var kind = Values.OneOf(call.Get(_kind), "--kind", SnapshotKind.Turn, SnapshotKind.Tool, SnapshotKind.Named, SnapshotKind.Pause);
        using var host = call.Connect();
        if (call.Get(_show) is { } shown)
        {
            Print(call, host.Call(HostMethod.SnapshotGet, new SnapshotRefParams { Ref = sandbox, Snapshot = shown }, HostJson.Default.SnapshotRefParams, HostJson.Default.SnapshotInfo));
            return 0;
        }

        if (Change(call, host, sandbox))
        {
            return 0;
        }

        var list = host.Call(HostMethod.SnapshotList, new SnapshotListParams { Ref = sandbox, Kind = kind }, HostJson.Default.SnapshotListParams, HostJson.Default.SnapshotList);
        if (call.Json)
        {
            JsonOut.Print(call.Output, list, HostJson.Default.SnapshotList);
        }
        else if (call.Get(_quiet))
        {
            foreach (var snapshot in list.Snapshots)
            {
                call.Output.Line(sandbox is null ? $"{snapshot.SandboxName}@{snapshot.Name}" : snapshot.Name);
            }
        }
        else
        {
            SnapshotTree.Of(list.Snapshots, call.Clock, withSandbox: sandbox is null).WriteTo(call.Output);
        }

        return 0;
    }

    private bool Change(Invocation call, HostConnection host, string? sandbox)
    {
        var changed = false;
        if (call.Get(_rename) is { } rename)
        {
            var (from, to) = Values.Pairs([rename], "--rename")!.Single();
            Say(call, host.Call(HostMethod.SnapshotRename, new RenameSnapshotParams { Ref = sandbox, Snapshot = from, Name = to }, HostJson.Default.RenameSnapshotParams, HostJson.Default.SnapshotInfo));
            changed = true;
        }

        foreach (var (names, held) in new[] { (call.Get(_hold), true), (call.Get(_unhold), false) })
        {
            foreach (var name in names ?? [])
            {
                Say(call, host.Call(HostMethod.SnapshotHold, new HoldSnapshotParams { Ref = sandbox, Snapshot = name, Held = held }, HostJson.Default.HoldSnapshotParams, HostJson.Default.SnapshotInfo));
                changed = true;
            }
        }

        foreach (var name in call.Get(_remove) ?? [])
        {
            host.Call(HostMethod.SnapshotDelete, new SnapshotRefParams { Ref = sandbox, Snapshot = name }, HostJson.Default.SnapshotRefParams, HostJson.Default.Empty);
            if (!call.Json)
            {
                call.Output.Line(name);
            }

            changed = true;
        }

        return changed;
    }

    private static void Say(Invocation call, SnapshotInfo snapshot)
    {
        if (call.Json)
        {
            JsonOut.Print(call.Output, snapshot, HostJson.Default.SnapshotInfo);
        }
        else
        {
            call.Output.Line(snapshot.Name);
        }
    }

    private static void Print(Invocation call, SnapshotInfo snapshot)
    {
        if (call.Json)
        {
            JsonOut.Print(call.Output, snapshot, HostJson.Default.SnapshotInfo);
            return;
        }

        var fields = new Fields(call.Output);
        fields.Add("name", snapshot.Name);
        fields.Add("id", snapshot.Id);
        fields.Add("sandbox", $"{snapshot.SandboxName} ({snapshot.SandboxId})");
        fields.Add("comes from", snapshot.Parent);
        fields.Add("kind", snapshot.Kind + (snapshot.HasMemory ? " with memory" : ""));
        fields.Add("label", snapshot.Label);
        fields.Add("message", snapshot.Message);
        fields.Add("taken", Humanize.Time(snapshot.CreatedUnixMs, call.Clock));
        fields.Add("pause", snapshot.PausedUs is { } pause ? $"{Humanize.Number(pause / 1000.0)} ms" : null);
        fields.Add("new data", snapshot.BytesUnique is { } bytes ? Humanize.Bytes(bytes) : null);
        fields.Add("memory", snapshot.MemoryBytes is { } memory ? Humanize.Bytes(memory) : null);
        fields.Add("held", snapshot.Held ? "yes" : null);
        fields.Add("changes", SnapshotTree.Changes(snapshot));
        foreach (var path in snapshot.Changes?.First ?? [])
        {
            fields.Add("", path);
        }

        foreach (var (key, value) in snapshot.Labels ?? new Dictionary<string, string>())
        {
            fields.Add("label", $"{key}={value}");
        }
    }
}
