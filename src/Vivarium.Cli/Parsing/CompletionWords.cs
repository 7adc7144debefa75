using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Parsing;

/// <summary>What may stand at the end of a half-typed command line. Never starts the daemon and never takes long.</summary>
internal static class CompletionWords
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    /// <param name="call">The completion's own call, for the way to the daemon.</param>
    /// <param name="typed">The words after <c>viv</c>; the last is the one being typed, possibly empty.</param>
    public static IEnumerable<string> For(Invocation call, IReadOnlyList<string> typed)
    {
        var last = typed.Count == 0 ? "" : typed[^1];
        if (typed.Contains("--"))
        {
            return [];
        }

        if (typed.Count <= 1)
        {
            return Begins(Verbs.All.Select(verb => verb.Name), last);
        }

        if (Verbs.Find(typed[0])?.Make() is not { } verb)
        {
            return [];
        }

        if (verb.Subcommands.Count > 0)
        {
            if (typed.Count == 2)
            {
                return Begins(verb.Subcommands.Select(sub => sub.Name), last);
            }

            if (verb.Subcommands.FirstOrDefault(sub => sub.Name == typed[1]) is not Verb sub)
            {
                return [];
            }

            verb = sub;
        }

        if (last.StartsWith('-'))
        {
            return Begins(verb.Options.Where(option => !option.Hidden).Select(option => option.Name).Append("--help").Append("--config"), last);
        }

        return typed[^2] switch
        {
            "--runtime" => Begins(["auto", "container", "gvisor", "vm"], last),
            "--template" or "-T" => Begins(Templates(call), last),
            "--format" => Begins(["oci", "docker", "tar"], last),
            "--net" => Begins(["none", "nat"], last),
            "--on-timeout" => Begins(["kill", "pause"], last),
            "--show" or "--rm" or "--hold" or "--unhold" when verb.Name == "snapshots" => Begins(Snapshots(call, null), last),
            "--kind" => Begins(["turn", "tool", "named", "pause"], last),
            var before when verb.Name == "call" && before != verb.Name && !before.StartsWith('-') && typed[^3] is "call" => Begins(Tools(call), last),
            var before when verb.Name is "rollback" or "diff" && before != verb.Name && !before.StartsWith('-') => Begins(Snapshots(call, typed.Skip(1).First(word => !word.StartsWith('-'))), last),
            _ => verb.Arguments.FirstOrDefault()?.Name switch
            {
                "SANDBOX" or "SANDBOX…" => Begins(Sandboxes(call), last),
                "SOURCE" => Begins(last.Contains('@', StringComparison.Ordinal) ? Snapshots(call, null) : Sandboxes(call), last),
                "SRC" => Begins(Sandboxes(call).Select(name => name + ":"), last),
                "TEMPLATE…" or "TEMPLATE" => Begins(Templates(call), last),
                "RECIPE" => Begins(["tiny", "base"], last),
                "SHELL" => Begins(["bash", "zsh", "fish"], last),
                _ => [],
            },
        };
    }

    private static IEnumerable<string> Begins(IEnumerable<string> words, string start) =>
        words.Where(word => word.StartsWith(start, StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    private static string[] Sandboxes(Invocation call) => Ask(call, host => host
        .Call(HostMethod.List, new ListParams(), HostJson.Default.ListParams, HostJson.Default.SandboxList, new ConnectionWait(Patience))
        .Sandboxes.Select(sandbox => sandbox.Name).ToArray());

    /// <summary>Snapshots of a sandbox, or of all as SANDBOX@SNAPSHOT.</summary>
    private static string[] Snapshots(Invocation call, string? sandbox) => Ask(call, host => host
        .Call(HostMethod.SnapshotList, new SnapshotListParams { Ref = sandbox }, HostJson.Default.SnapshotListParams, HostJson.Default.SnapshotList, new ConnectionWait(Patience))
        .Snapshots.Select(snapshot => sandbox is null ? $"{snapshot.SandboxName}@{snapshot.Name}" : snapshot.Name).ToArray());

    private static string[] Tools(Invocation call) => Ask(call, host => host
        .Call(HostMethod.ToolList, HostJson.Default.ToolList, new ConnectionWait(Patience))
        .Tools.Select(tool => tool.Name).ToArray());

    private static string[] Templates(Invocation call) => Ask(call, host => host
        .Call(HostMethod.TemplateList, HostJson.Default.TemplateList, new ConnectionWait(Patience))
        .Templates.Select(template => template.Name).OfType<string>().ToArray());

    private static string[] Ask(Invocation call, Func<HostConnection, string[]> ask)
    {
        try
        {
            using var host = call.TryConnect();
            return host is null ? [] : ask(host);
        }
        catch (Exception e) when (e is VivariumException or RemoteException)
        {
            return [];
        }
    }
}
