using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv ps</c>.</summary>
internal sealed class ProcessesCommand : Verb
{
    private readonly Argument<string> _sandbox = Opt.One("SANDBOX", "name, id or unambiguous prefix");
    private readonly Option<bool> _all = Opt.Flag("--all", "also those that have ended", "-a");
    private readonly Option<bool> _json = Opt.Json();

    public ProcessesCommand()
        : base("ps", "Lists the processes viv or the API started in a sandbox.")
    {
        Arguments.Add(_sandbox);
        Options.Add(_all);
        Options.Add(_json);
    }

    public static Verb Make() => new ProcessesCommand
    {
        Usage = "[flags] SANDBOX",
        Examples = [("viv ps quiet-fox", "what runs"), ("viv exec quiet-fox -- ps aux", "every process, as the sandbox itself sees them")],
    };

    public override int Run(Invocation call)
    {
        using var host = call.Connect();
        var reply = host.Call(HostMethod.Processes, new RefParams { Ref = call.Get(_sandbox)! }, HostJson.Default.RefParams, HostJson.Default.ProcessList);
        var shown = reply with { Processes = [.. reply.Processes.Where(process => call.Get(_all) || process.Status == "running")] };
        if (call.Json)
        {
            JsonOut.Print(call.Output, shown, HostJson.Default.ProcessList);
        }
        else
        {
            Tables.Processes(shown.Processes, call.Clock).WriteTo(call.Output);
        }

        return 0;
    }
}
