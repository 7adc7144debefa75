using System.Runtime.InteropServices;
using System.Text.Json;
using Vivarium.Linux.Processes;
using Vivarium.Runtimes;
using Vivarium.Runtimes.Ledger;
using Vivarium.Supervisor.Control;
using Vivarium.Supervisor.Lifecycle;
using Vivarium.Supervisor.Logs;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor;

/// <summary>
/// The life of the process: lock, specification, socket, <c>ready</c>, sandbox, release, exit record. The socket answers before the engine is
/// started and until everything is released, so the sandbox can be asked about and stopped at any time.
/// </summary>
internal static class SupervisorProgram
{
    private const int ExitOk = 0;
    private const int ExitBadStart = 2;
    private const int ExitLocked = 3;
    private static readonly TimeSpan StopDeadline = TimeSpan.FromSeconds(10);

    /// <summary>Supervises the sandbox of a runtime directory until it has ended; returns the exit code of the process.</summary>
    public static async Task<int> RunAsync(string directory)
    {
        FileStream heldLock;
        try
        {
            heldLock = SupervisorFiles.Lock(directory);
        }
        catch (IOException)
        {
            StandardOutput.WriteLine($"another supervisor holds {SupervisorFiles.LockPath(directory)}");
            return ExitLocked;
        }

        await using var _ = heldLock;
        SupervisorSpec spec;
        ISandboxRuntime runtime;
        try
        {
            spec = SupervisorFiles.ReadSpec(directory);
            runtime = SandboxRuntimes.Create(spec);
            Directory.CreateDirectory(spec.LogDirectory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or VivariumException)
        {
            StandardOutput.WriteLine($"cannot supervise {directory}: {e.Message}");
            SupervisorFiles.WriteExit(directory, SupervisorPhase.Failed, "start_failed", e.Message, []);
            return ExitBadStart;
        }

        return await SuperviseAsync(directory, spec, runtime).ConfigureAwait(false);
    }

    private static async Task<int> SuperviseAsync(string directory, SupervisorSpec spec, ISandboxRuntime runtime)
    {
        Prctl.SetNotDumpable();
        Reaper.BecomeSubreaper();
        await using var log = new SupervisorLog(spec.LogDirectory, spec.LogMaxBytes);
        await using var sandbox = new SupervisedSandbox(directory, spec, runtime, log);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            _ = sandbox.StopAsync(StopDeadline, "requested", CancellationToken.None); // a signal has no caller to give it up
        });

        ControlSocket socket;
        try
        {
            socket = ControlSocket.Bind(SupervisorFiles.SocketPath(directory), sandbox, log);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or UnauthorizedAccessException)
        {
            StandardOutput.WriteLine($"cannot bind the control socket: {e.Message}");
            SupervisorFiles.WriteExit(directory, SupervisorPhase.Failed, "start_failed", e.Message, []);
            return ExitBadStart;
        }

        await using (socket)
        {
            StandardOutput.WriteLine("ready");
            SupervisorFiles.DetachOutput();
            var end = await sandbox.RunAsync().ConfigureAwait(false);

            // Its own deadlines bound it: a release must not be given up half-way.
            var leftovers = await Reclaim.RunAsync(directory, CancellationToken.None).ConfigureAwait(false);
            SupervisorFiles.WriteExit(directory, end.Phase, end.Reason ?? "requested", end.Message, leftovers);
            sandbox.Announce(end);
            await socket.DrainAsync().ConfigureAwait(false);
        }

        return ExitOk;
    }
}
