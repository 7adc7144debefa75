using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Vivarium.Host.Naming;
using Vivarium.Linux.Processes;
using Vivarium.Host.Timers;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Supervision;

/// <summary>
/// Starts supervisors: detached (own session, a cgroup outside the daemon's, no inherited descriptor but pipes for the words <c>go</c> and <c>ready</c>), so that nothing
/// that happens to the daemon reaches one that has begun.
/// </summary>
internal sealed partial class SupervisorLauncher(HostPaths paths, SupervisorPrograms programs, TimeProvider time, ILogger<SupervisorLauncher> logger)
{
    private static readonly TimeSpan ReadyTime = TimeSpan.FromSeconds(10);

    /// <summary>What neither a supervisor nor an engine nor anything in a sandbox ever needs: gone for all of them before the supervisor's first instruction.</summary>
    private static readonly Capability[] Unneeded = Enum.GetValues<Capability>();

    private static readonly byte[] Ready = "ready\n"u8.ToArray();

    /// <summary>Absolute path of viv-guest.</summary>
    public string GuestAgent => programs.GuestAgent;

    /// <summary>Starts the supervisor of a sandbox, which waits until it is launched.</summary>
    public StartingSupervisor Prepare(SandboxId id)
    {
        var starting = StartingSupervisor.Begin((input, output) => Start(paths.Supervisor(id), input, output));
        var child = starting.Process;
        LogStarted(id.Value, child.Pid);
        _ = child.Exited.ContinueWith(
            exit => LogExited(id.Value, child.Pid, exit.Result.Code, exit.Result.Signal), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
        return starting;
    }

    /// <summary>Writes the specification, lets the supervisor go, waits until it listens and connects. What it leaves on failure is removed by <see cref="SupervisorRemains"/>.</summary>
    public async Task<SupervisorLink> LaunchAsync(SandboxId id, SupervisorSpec spec, StartingSupervisor starting, CancellationToken cancellationToken)
    {
        var files = paths.Supervisor(id);
        programs.MakeDirectory(files.Directory);
        WriteSpec(files, spec);
        starting.Go();
        await WaitReadyAsync(starting.Ready, files, starting.Process, cancellationToken).ConfigureAwait(false);
        return await SupervisorLink.OpenAsync(files.Socket, time, cancellationToken).ConfigureAwait(false);
    }

    private static void WriteSpec(SupervisorFiles files, SupervisorSpec spec)
    {
        // On a tmpfs and read once by a program not yet started: neither a rename nor an fsync would add anything.
        using var file = new FileStream(files.Spec, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(JsonSerializer.SerializeToUtf8Bytes(spec, SupervisorJson.Default.SupervisorSpec));
    }

    private ChildProcess Start(SupervisorFiles files, SafeHandle input, SafeHandle output) => ChildProcess.Start(new SpawnOptions
    {
        FileName = programs.Supervisor,
        Argv = ["viv-supervisor", files.Directory],
        Env = ["PATH=" + SpawnOptions.DefaultPath, "LANG=C.UTF-8", "VIV_START=wait"],
        Cwd = "/",
        Fds = [new FdMapping((int)input.DangerousGetHandle(), 0), new FdMapping((int)output.DangerousGetHandle(), 1)],
        NewSession = true,
        CgroupDirectories = programs.SupervisorCgroups,
        NoNewPrivileges = true,
        Limits = [new ResourceLimit(LimitKind.Core, 0, 0)],
        DropCapabilities = Unneeded,
    });

    private async Task WaitReadyAsync(Stream ready, SupervisorFiles files, ChildProcess child, CancellationToken cancellationToken)
    {
        using var deadline = new Deadline(time, ReadyTime, cancellationToken);
        var said = new byte[Ready.Length];
        var count = 0;
        try
        {
            while (count < said.Length)
            {
                var read = await ready.ReadAsync(said.AsMemory(count), deadline.Token).ConfigureAwait(false);
                if (read == 0)
                {
                    break;
                }

                count += read;
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            child.Signal(Signals.SIGKILL);
            throw new VivariumException(ErrorCode.DeadlineExceeded, "the supervisor did not get ready in 10 s", "Look at supervisor.log and at the load of the machine.", "supervisor_slow");
        }

        if (!said.AsSpan(0, count).SequenceEqual(Ready))
        {
            var exit = SupervisorRemains.ReadExit(files);
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                "the supervisor did not start: " + (exit?.Message ?? (count == 0 ? "it ended at once" : "it said " + NameRules.Quote(Encoding.UTF8.GetString(said, 0, count)))),
                "viv doctor shows whether this machine can run sandboxes.",
                exit?.Reason ?? "supervisor_start_failed");
        }
    }

    [LoggerMessage(EventId = 1401, Level = LogLevel.Debug, Message = "supervisor of sandbox {SandboxId} started as pid {Pid}")]
    private partial void LogStarted(string sandboxId, int pid);

    [LoggerMessage(EventId = 1402, Level = LogLevel.Debug, Message = "supervisor of sandbox {SandboxId}, pid {Pid}, ended with code {Code}, signal {Signal}")]
    private partial void LogExited(string sandboxId, int pid, int? code, int? signal);
}
