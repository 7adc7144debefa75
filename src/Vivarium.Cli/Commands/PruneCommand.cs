using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv prune</c>.</summary>
internal sealed class PruneCommand : Verb
{
    private readonly Option<bool> _dryRun = Opt.Flag("--dry-run", "only say what would go");
    private readonly Option<string> _olderThan = Opt.Text("--older-than", "TIME", "only those that ended longer ago");
    private readonly Option<bool> _json = Opt.Json();

    public PruneCommand()
        : base("prune", "Removes all stopped and failed sandboxes; prints what went.")
    {
        Options.Add(_dryRun);
        Options.Add(_olderThan);
        Options.Add(_json);
    }

    public static Verb Make() => new PruneCommand
    {
        Usage = "[flags]",
        Examples = [("viv prune --dry-run", "what would go"), ("viv prune --older-than 1d", "what ended before yesterday")],
    };

    public override int Run(Invocation call)
    {
        var parameters = new PruneParams { DryRun = call.Get(_dryRun), OlderThanMs = Values.Duration(call.Get(_olderThan), "--older-than") };
        using var host = call.Connect();
        var reply = host.Call(HostMethod.Prune, parameters, HostJson.Default.PruneParams, HostJson.Default.PruneReply);
        if (call.Json)
        {
            JsonOut.Print(call.Output, reply, HostJson.Default.PruneReply);
            return 0;
        }

        foreach (var sandbox in reply.Removed)
        {
            call.Output.Line(sandbox.Name);
        }

        call.Messages.Line(reply.Removed.Count switch
        {
            0 => "nothing to remove",
            var count => $"{count} sandbox{(count == 1 ? "" : "es")} {(parameters.DryRun ? "would be removed" : "removed")}",
        }).Flush();
        return 0;
    }
}
