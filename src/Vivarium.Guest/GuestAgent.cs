using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Guest.Control;
using Vivarium.Guest.Exec;
using Vivarium.Guest.Init;
using Vivarium.Guest.Io;
using Vivarium.Guest.Ports;
using Vivarium.Transport.Yamux;

namespace Vivarium.Guest;

/// <summary>The agent put together: init duties, the connection to the host over standard input and output, the ports, and the end.</summary>
internal static class GuestAgent
{
    private const int ConnectionPipe = 1024 * 1024;

    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(5);

    // The host is gone: whatever runs here runs for nobody, and the supervisor's successor waits for the end.
    private static readonly TimeSpan AbandonedGrace = TimeSpan.FromMilliseconds(500);

    /// <summary>Runs until the sandbox ends. 0: asked to end; 1: the host went away.</summary>
    public static async Task<int> RunAsync(string token)
    {
        var isInit = Environment.ProcessId == 1;
        var context = new GuestContext
        {
            IsInit = isInit,
            RunDirectory = InitDuties.Run(isInit),
            BootId = Guid.NewGuid().ToString("N"),
        };
        var stop = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var onTerm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => Stop(signal, "SIGTERM"));
        using var onInt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => Stop(signal, "SIGINT"));
        using var onHangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, static signal => signal.Cancel = true);
        using var onQuit = PosixSignalRegistration.Create(PosixSignal.SIGQUIT, static signal => signal.Cancel = true);

        context.Processes.Exited += _ => context.Idle.Worked();

        var gate = new TokenGate(token);
        var actions = new ControlActions(context, reason => stop.TrySetResult(reason));
        var dispatcher = new PortDispatcher(gate, [new ControlPort(gate, actions), new ExecPort(context), .. PortHandlers.Others(context)]);
        EnlargePipes();
        using var ending = new CancellationTokenSource();
        ConsoleLog.Write($"version {GuestVersion.Text}, pid {Environment.ProcessId}, serving");
        var serving = ServeAsync(dispatcher, context, gate, ending.Token);

        var asked = await Task.WhenAny(stop.Task, serving) == stop.Task;
        var reason = asked ? await stop.Task : $"the connection to the host ended: {await serving}";
        actions.Lifecycle.Enter("shutdown", reason);
        await OrderlyStop.RunAsync(context, actions.Mounts, asked ? StopGrace : AbandonedGrace);
        await ending.CancelAsync();
        await context.Connection!.DisposeAsync();
        ConsoleLog.Write("stopped");
        return asked ? 0 : 1;

        // Fewer turns between us and the supervisor when much is moved; where it is refused nothing is lost.
        static void EnlargePipes()
        {
            if (!KernelQuirks.IsGvisor)
            {
                _ = Libc.Fcntl(0, Libc.F_SETPIPE_SZ, ConnectionPipe);
                _ = Libc.Fcntl(1, Libc.F_SETPIPE_SZ, ConnectionPipe);
            }
        }

        void Stop(PosixSignalContext signal, string name)
        {
            signal.Cancel = true;
            stop.TrySetResult(name);
        }
    }

    /// <summary>Serves the host until the connection ends, and the next one after every restore; returns why there is no further one.</summary>
    private static async Task<string> ServeAsync(PortDispatcher dispatcher, GuestContext context, TokenGate gate, CancellationToken cancellationToken)
    {
        for (var restarts = false; ; restarts = true)
        {
            // The descriptors stay: behind the same numbers a restored sandbox finds the pipes of its new host.
            var session = new YamuxSession(
                new SafeFileHandle(0, ownsHandle: false), new SafeFileHandle(1, ownsHandle: false), YamuxRole.Server, new YamuxOptions { Restarts = restarts });
            context.Connection = session;
            await dispatcher.RunAsync(session, cancellationToken);
            var end = await session.Completed;
            if (end.Reason != SessionEnd.Restarted)
            {
                return end.Message;
            }

            gate.Close();
            ConsoleLog.Write("brought back from memory, serving a new host");
        }
    }
}
