using System.CommandLine;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Streams;
using Vivarium.Cli.Terminal;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv logs</c>: the console of a sandbox, or the output of a process started in the background.</summary>
internal sealed class LogsCommand : Verb
{
    private const int FollowMs = 20_000;
    private readonly Argument<string> _sandbox = Opt.One("SANDBOX", "name, id or unambiguous prefix");
    private readonly Argument<string?> _process = Opt.Maybe("PID", "process started with -d, by id or tag; without it: the sandbox's console");
    private readonly Option<bool> _follow = Opt.Flag("--follow", "go on until it ends", "-f");
    private readonly Option<string> _tail = Opt.Text("--tail", "N", "only the last N lines", "-n");
    private readonly Option<bool> _timestamps = Opt.Flag("--timestamps", "begin each line with its time (processes)", "-t");
    private readonly Option<bool> _json = Opt.Json();

    public LogsCommand()
        : base("logs", "Prints the console log of a sandbox, or what a background process wrote (its errors go to standard error).")
    {
        Arguments.Add(_sandbox);
        Arguments.Add(_process);
        foreach (var option in new Option[] { _follow, _tail, _timestamps, _json })
        {
            Options.Add(option);
        }
    }

    public static Verb Make() => new LogsCommand
    {
        Usage = "[flags] SANDBOX [PID]",
        Examples = [("viv logs quiet-fox", "the console"), ("viv logs -f quiet-fox web", "what the process tagged web writes"), ("viv logs -n 20 -t quiet-fox 17", "its last lines with times")],
    };

    public override int Run(Invocation call)
    {
        var sandbox = call.Get(_sandbox)!;
        var tail = Values.Integer(call.Get(_tail), "--tail", 0, 1_000_000);
        using var signals = call.Get(_follow) ? SignalPipe.ForInterrupts() : null;
        using var host = call.Connect();
        var word = call.Get(_process);
        var id = word?.StartsWith("proc-", StringComparison.Ordinal) == true ? word : null;
        var pid = word is not null && id is null ? Pid(host, sandbox, word) : (int?)null;
        var printer = new LogPrinter(call, isProcess: word is not null, call.Get(_timestamps), tail);
        long? offset = 0;
        for (; ; )
        {
            // Once the end is reached, following waits in the daemon; the answer comes as soon as there is something.
            var request = new LogsParams { Ref = sandbox, Pid = pid, Id = id, Offset = offset, WaitMs = call.Get(_follow) && printer.CaughtUp ? FollowMs : null };
            var reply = host.Call(HostMethod.Logs, request, HostJson.Default.LogsParams, HostJson.Default.LogsReply, new ConnectionWait(null, signals));
            var bytes = Convert.FromBase64String(reply.Data);
            offset = reply.NextOffset;
            var atEnd = bytes.Length == 0 || reply.Ended;
            if (!printer.Take(bytes, atEnd))
            {
                return 128 + 13;
            }

            if (reply.Ended || (atEnd && !call.Get(_follow)))
            {
                return 0;
            }
        }
    }

    private static int Pid(HostConnection host, string sandbox, string word)
    {
        if (word.All(char.IsAsciiDigit))
        {
            return Values.Pid(word);
        }

        var list = host.Call(HostMethod.Processes, new RefParams { Ref = sandbox }, HostJson.Default.RefParams, HostJson.Default.ProcessList);
        return list.Processes.LastOrDefault(process => process.Tag == word)?.Pid
            ?? throw new VivariumException(ErrorCode.NotFound, $"sandbox {sandbox} has no process tagged '{word}'", $"'viv ps -a {sandbox}' lists them", "no_such_process");
    }
}
