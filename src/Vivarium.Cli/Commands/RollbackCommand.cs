using System.CommandLine;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv rollback</c>: puts a sandbox back to a snapshot.</summary>
internal sealed class RollbackCommand : Verb
{
    private readonly Argument<string> _sandbox = Opt.One("SANDBOX", "name, id or unambiguous prefix");
    private readonly Argument<string> _snapshot = Opt.One("SNAPSHOT", "name, number of a turn, or id");
    private readonly Option<bool> _discard = Opt.Flag("--discard-later", "remove the snapshots that come after it, except held ones");
    private readonly Option<bool> _force = Opt.Flag("--force", "also while tools run; they end with the processes", "-f");
    private readonly Option<string[]> _secret = Opt.Many("--secret", "NAME[=FROM]", "hand this secret in again; from env:VAR, file:PATH or - for standard input");
    private readonly MemoryFlags _memory = new("refuse unless processes and memory come back too", "bring its files back alone; processes start anew");
    private readonly Option<bool> _json = Opt.Json();

    public RollbackCommand()
        : base("rollback", "Puts a sandbox back to a snapshot, in place: same id, name and time left. Its processes end and its files are those of the snapshot, its processes too when it was taken with memory; later snapshots stay, as a branch.")
    {
        Arguments.Add(_sandbox);
        Arguments.Add(_snapshot);
        Options.Add(_discard);
        Options.Add(_force);
        Options.Add(_secret);
        _memory.AddTo(this);
        Options.Add(_json);
    }

    public static Verb Make() => new RollbackCommand
    {
        Usage = "[flags] SANDBOX SNAPSHOT",
        Examples = [("viv rollback quiet-fox before-upgrade", "by name"), ("viv rollback quiet-fox 12", "to the end of turn 12")],
    };

    public override int Run(Invocation call)
    {
        var parameters = new RollbackParams
        {
            Ref = call.Get(_sandbox)!,
            Snapshot = call.Get(_snapshot)!,
            DiscardLater = call.Get(_discard),
            Memory = _memory.Of(call),
            Force = call.Get(_force),
            Secrets = SecretFlags.Read(call.Get(_secret), call.Stdio.Input),
        };
        using var host = call.Connect();
        using var progress = new Progress(call.Messages, $"rolling back {parameters.Ref}", quiet: false);
        var sandbox = host.Call(HostMethod.Rollback, parameters, HostJson.Default.RollbackParams, HostJson.Default.SandboxInfo, new ConnectionWait(null, null, progress.Tick));
        if (call.Json)
        {
            JsonOut.Print(call.Output, sandbox, HostJson.Default.SandboxInfo);
        }
        else
        {
            call.Output.Line(sandbox.Name);
        }

        return 0;
    }
}
