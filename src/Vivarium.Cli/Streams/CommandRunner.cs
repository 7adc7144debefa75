using System.Runtime.InteropServices;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Terminal;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Streams;

/// <summary>Runs a command in a sandbox, joined to us, and turns its end into our exit code.</summary>
internal static class CommandRunner
{
    private const int WhyTries = 20;
    private const int WhyStepMs = 50;
    private static readonly TimeSpan WhyTimeout = TimeSpan.FromSeconds(5);

    public static int Run(HostConnection host, string reference, ExecRequest request, ExecOptions options, Invocation call, SignalPipe signals)
    {
        try
        {
            using var session = ExecSession.Start(GuestStream.Open(host, reference, GuestPort.Exec), request, options, call.Stdio, signals);
            return Report(session.Run(signals), request.TimeoutMs, call.Messages);
        }
        catch (VivariumException e) when (e.Reason == ExecSession.StreamEnded)
        {
            throw WhyEnded(call, reference, e);
        }
        catch (VivariumException e) when (e.Reason is "command_not_found" or "not_executable")
        {
            // The shell's codes, so that scripts can tell our failures from the command's.
            ErrorPrinter.Print(e.ToInfo(), call.Json, call.Output, call.Messages);
            throw new ExitException(e.Reason == "command_not_found" ? 127 : 126);
        }
    }

    /// <summary>The error of a stream that ended before its process, with the reason the daemon has found by now.</summary>
    private static VivariumException WhyEnded(Invocation call, string reference, VivariumException ended)
    {
        try
        {
            using var host = call.Connect();
            for (var tries = 0; tries < WhyTries; tries++)
            {
                var sandbox = host.Call(HostMethod.Get, new RefParams { Ref = reference }, HostJson.Default.RefParams, HostJson.Default.SandboxInfo, new ConnectionWait(WhyTimeout));
                if (sandbox.State is SandboxState.Failed or SandboxState.Stopped && sandbox.Reason is { } reason)
                {
                    return new VivariumException(
                        ErrorCode.Unavailable, $"sandbox {sandbox.Name} ended before the command did: {sandbox.Message ?? reason}", $"'viv logs {sandbox.Name}' shows its console", reason);
                }

                _ = Fd.Wait(-1, 0, WhyStepMs);
            }
        }
        catch (Exception e) when (e is RemoteException or VivariumException)
        {
            // The daemon cannot say either.
        }

        return ended;
    }

    /// <summary>Signals a joined command must hear of.</summary>
    public static SignalPipe Signals(ExecOptions options) => options.Tty
        ? new SignalPipe(PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGWINCH, PosixSignal.SIGCONT)
        : SignalPipe.ForInterrupts();

    /// <summary>Says what an exit code alone does not, and returns the code.</summary>
    public static int Report(ExecOutcome outcome, long? timeoutMs, TextOut messages)
    {
        if (outcome.Exit?.Oom == true)
        {
            messages.Line("viv: the command was killed: the sandbox ran out of memory").Flush();
        }
        else if (outcome.Exit?.TimedOut == true)
        {
            messages.Line($"viv: the command was killed: its time was up{(timeoutMs is { } ms ? $" ({Configuration.Values.DurationText.Format(TimeSpan.FromMilliseconds(ms))})" : "")}").Flush();
        }

        return outcome.Code;
    }
}
