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
internal sealed class LaunchedProcesses(ISandboxRuntime runtime, GuestPulse pulse, StatusBoard board, Activity activity, SupervisorSpec spec, SupervisorLog log) : IAsyncDisposable
{
    private const int MaxProcesses = 1024;
    private static readonly System.Buffers.SearchValues<char> IdCharacters = System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789");

    private readonly CancellationTokenSource stopping = new();
    private readonly Lock gate = new();
    private readonly Dictionary<int, Task> running = [];
    private readonly Dictionary<int, long> logged = [];
    private readonly Dictionary<int, string> names = [];
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

    /// <summary>Those that run, or ran when the sandbox ended, and how much of their output is logged.</summary>
    public IReadOnlyList<SavedProcess> Followed
    {
        get
        {
            lock (gate)
            {
                return [.. logged.Select(one => new SavedProcess(one.Key, one.Value, names[one.Key]))];
            }
        }
    }

    /// <summary>Follows the processes of a sandbox that was brought back, each from where its log ends.</summary>
    public async Task FollowAgainAsync(IReadOnlyList<SavedProcess> saved, CancellationToken cancellationToken)
    {
        foreach (var one in saved)
        {
            try
            {
                var stream = await runtime.ConnectAsync(GuestPort.Exec, cancellationToken).ConfigureAwait(false);
                Follow(await ExecClient.StartAsync(stream, new ExecRequest { Attach = new ExecAttach { Pid = one.Pid, Offset = one.Logged } }, cancellationToken).ConfigureAwait(false), one.Logged, one.Log ?? LogName(one.Pid, null));
            }
            catch (VivariumException e) when (e.Code == ErrorCode.NotFound)
            {
                log.Write($"process {one.Pid} was not brought back", e);
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
            var process = await pulse.FirstAnswerAsync(token => ExecClient.StartAsync(stream, request with { KillOnDisconnect = false }, token), cancellationToken).ConfigureAwait(false);
            Follow(process, 0, LogName(process.Pid, request.Tag));
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

    /// <summary>By the id the daemon launched it under, which no other process ever has; else by its pid, which one may have after a restart of the sandbox.</summary>
    private static string LogName(int pid, string? tag) =>
        tag is { Length: 25 } && tag.StartsWith("proc-", StringComparison.Ordinal) && tag.AsSpan(5).IndexOfAnyExcept(IdCharacters) < 0 ? tag + ".log" : string.Create(CultureInfo.InvariantCulture, $"process-{pid}.log");

    private void Follow(ExecClient process, long alreadyLogged, string logName)
    {
        lock (gate)
        {
            logged[process.Pid] = alreadyLogged;
            names[process.Pid] = logName;
            running[process.Pid] = FollowAsync(process, logName);
        }
    }

    private void Logged(int pid, int bytes)
    {
        lock (gate)
        {
            logged[pid] += bytes;
        }
    }

    private async Task FollowAsync(ExecClient process, string logName)
    {
        await Task.Yield(); // the caller holds the lock this ends with
        var pid = process.Pid;
        try
        {
            await using var output = new ProcessLog(Path.Combine(spec.LogDirectory, logName), spec.LogMaxBytes);
            await using (process.ConfigureAwait(false))
            {
                while (await process.ReadAsync(stopping.Token).ConfigureAwait(false) is { } frame)
                {
                    activity.Touch();
                    if (StreamName(frame.Channel) is { } name)
                    {
                        output.Write(name, frame.Payload.Span);
                        Logged(pid, frame.Payload.Length);
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
            if (process.Exit is not null)
            {
                logged.Remove(pid);
                names.Remove(pid);
            }
        }

        board.ProcessExited(pid, process.Exit);
    }
}
