using System.CommandLine;
using System.Globalization;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Streams;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv attach</c>: join a process that runs already.</summary>
internal sealed class AttachCommand : Verb
{
    private readonly Argument<string> _sandbox = Opt.One("SANDBOX", "name, id or unambiguous prefix");
    private readonly Argument<string> _process = Opt.One("PID", "process id or tag");
    private readonly Option<bool> _readOnly = Opt.Flag("--read-only", "only look: nothing typed goes through");
    private readonly Option<bool> _new = Opt.Flag("--new", "only what it writes from now on, without what was there before");

    public AttachCommand()
        : base("attach", "Joins a running process: its output so far, then what comes. Ctrl-P Ctrl-Q (on a terminal) or Ctrl-C (elsewhere) leaves it running.")
    {
        Arguments.Add(_sandbox);
        Arguments.Add(_process);
        Options.Add(_readOnly);
        Options.Add(_new);
    }

    public static Verb Make() => new AttachCommand
    {
        Usage = "[flags] SANDBOX PID",
        Examples = [("viv attach quiet-fox 17", "its exit code becomes ours when it ends"), ("viv attach --read-only quiet-fox web", "watch")],
    };

    public override int Run(Invocation call)
    {
        var word = call.Get(_process)!;
        var pid = int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : (int?)null;
        using var host = call.Connect();
        var list = host.Call(HostMethod.Processes, new RefParams { Ref = call.Get(_sandbox)! }, HostJson.Default.RefParams, HostJson.Default.ProcessList);
        var process = list.Processes.LastOrDefault(p => pid is null ? p.Tag == word || p.Id == word : p.Pid == pid)
            ?? throw new VivariumException(ErrorCode.NotFound, $"sandbox {call.Get(_sandbox)} has no process '{word}'", $"'viv ps {call.Get(_sandbox)}' lists them", "no_such_process");
        var typing = !call.Get(_readOnly) && process.Status == "running";
        var options = new ExecOptions
        {
            Stdin = typing && (process.Tty || !Fd.IsTerminal(call.Stdio.Input)),
            Tty = process.Tty,
            DetachKeys = process.Tty && Fd.IsTerminal(call.Stdio.Input),
            ForwardSignals = process.Tty,
        };
        var request = new ExecRequest
        {
            Attach = new ExecAttach { Pid = process.Pid, Offset = call.Get(_new) ? -1 : null, ReadOnly = call.Get(_readOnly) },
            Tty = ProcessIo.Tty(options, call.Stdio),
            Stdin = options.Stdin,
        };
        using var signals = CommandRunner.Signals(options);
        using var session = ExecSession.Start(GuestStream.Open(host, call.Get(_sandbox)!, GuestPort.Exec), request, options, call.Stdio, signals);
        var outcome = session.Run(signals);
        if (outcome.Detached)
        {
            call.Messages.Line($"viv: left process {process.Pid} running").Flush();
        }

        return CommandRunner.Report(outcome, null, call.Messages);
    }
}
