using System.Globalization;
using Vivarium.Runtimes;
using Vivarium.Supervisor.Lifecycle;
using Vivarium.Supervisor.Logs;
using Vivarium.Supervisor.Streams;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor.Processes;

/// <summary>Processes the supervisor stays attached to, so that their output is logged whoever else comes and goes.</summary>
internal sealed class LaunchedProcesses(ISandboxRuntime runtime, StatusBoard board, Activity activity, SupervisorSpec spec, SupervisorLog log) : IAsyncDisposable
{
    private const int MaxProcesses = 1024;

    private readonly CancellationTokenSource stopping = new();
    private readonly Lock gate = new();
    private readonly Dictionary<int, Task> running = [];
    private int starting;

    /// <summary>How many run now.</summary>
    public int Count
    {
        get
        {
            lock (gate)
            {
                return running.Count;
            }
        }
    }

    /// <summary>Starts a process and attaches a log to it; returns its pid inside the sandbox.</summary>
    public async Task<int> LaunchAsync(ExecRequest request, CancellationToken cancellationToken)
    {
        if (request.Attach is not null)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, "cannot launch: attaching to a process is not a launch");
        }

        lock (gate)
        {
            if (running.Count + starting >= MaxProcesses)
            {
                throw new VivariumException(ErrorCode.ResourceExhausted, $"cannot launch: {MaxProcesses} launched processes run already");
            }

            starting++;
        }

        try
        {
            var stream = await runtime.ConnectAsync(GuestPort.Exec, cancellationToken).ConfigureAwait(false);

            // The process must not depend on this connection: it outlives whatever happens to the log.
            var process = await ExecClient.StartAsync(stream, request with { KillOnDisconnect = false }, cancellationToken).ConfigureAwait(false);
            lock (gate)
            {
                running[process.Pid] = FollowAsync(process);
            }

            return process.Pid;
        }
        finally
        {
            lock (gate)
            {
                starting--;
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        Task[] all;
        lock (gate)
        {
            all = [.. running.Values];
        }

        await Task.WhenAll(all).ConfigureAwait(false);
        stopping.Dispose();
    }

    private static string? StreamName(byte channel) => channel switch
    {
        ExecChannel.Stdout => "stdout",
        ExecChannel.Stderr => "stderr",
        ExecChannel.Pty => "pty",
        _ => null,
    };

    private async Task FollowAsync(ExecClient process)
    {
        await Task.Yield(); // the caller holds the lock this ends with
        var pid = process.Pid;
        try
        {
            await using var output = new ProcessLog(Path.Combine(spec.LogDirectory, string.Create(CultureInfo.InvariantCulture, $"process-{pid}.log")), spec.LogMaxBytes);
            await using (process.ConfigureAwait(false))
            {
                while (await process.ReadAsync(stopping.Token).ConfigureAwait(false) is { } frame)
                {
                    activity.Touch();
                    if (StreamName(frame.Channel) is { } name)
                    {
                        output.Write(name, frame.Payload.Span);
                    }
                }
            }
        }
        catch (Exception e) when (e is IOException or VivariumException or OperationCanceledException)
        {
            log.Write($"process {pid} is no longer followed", e);
        }

        lock (gate)
        {
            running.Remove(pid);
        }

        board.ProcessExited(pid, process.Exit);
    }
}
