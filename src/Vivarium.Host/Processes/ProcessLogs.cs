using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Processes;

/// <summary>Reads the logs the supervisor writes. Offsets count over the whole life of a log, rotation included; one old file is kept.</summary>
internal sealed class ProcessLogs(HostServices host, SandboxProcesses launched)
{
    private const int MaxBytes = 1024 * 1024;
    private const int MaxWaitMs = 30_000;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    /// <summary>A piece of a log, waiting for something new when asked to.</summary>
    public async Task<LogsReply> ReadAsync(Sandbox sandbox, LogsParams p, CancellationToken cancellationToken)
    {
        var limit = p.Limit ?? MaxBytes;
        if (limit is < 1 or > MaxBytes || p.WaitMs is < 0 or > MaxWaitMs || p.Pid is < 1)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, "reading a log: limit, wait or pid is out of range", "Limit 1 to 1048576 bytes, wait 0 to 30000 ms, pid above 0.", "bad_params");
        }

        var process = p.Id is { } id ? (await launched.FindAsync(p.Ref, id, cancellationToken).ConfigureAwait(false)).Process
            : p.Pid is { } named ? launched.OfPid(sandbox, named) : null;
        var path = PathOf(sandbox, p, process);
        if (p.Pid is not null && process is null && !File.Exists(path))
        {
            throw new VivariumException(ErrorCode.NotFound, $"sandbox {sandbox.Record.Name} has no log of a process {p.Pid}", "Only processes started in the background are logged: viv ps.", "no_such_log");
        }

        var start = host.Time.GetTimestamp();
        var over = false;
        for (var round = 0; ; round++)
        {
            // Asked before reading, so that what an ending process wrote last is read before its log counts as ended; and not each time.
            if (round % 10 == 0)
            {
                over = await IsOverAsync(sandbox, p, process, cancellationToken).ConfigureAwait(false);
            }

            var (data, next, end) = LogFile.Read(path, p.Offset ?? 0, limit);
            if (data.Length > 0 || over || host.Time.GetElapsedTime(start).TotalMilliseconds >= (p.WaitMs ?? 0))
            {
                return new LogsReply { Data = Convert.ToBase64String(data), NextOffset = next, Ended = over && next >= end };
            }

            await Task.Delay(Look, host.Time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>A launched process has a log of its own name, unless it has a tag of its caller's or an older supervisor.</summary>
    private string PathOf(Sandbox sandbox, LogsParams p, LaunchedProcess? process)
    {
        var logs = host.Paths.SandboxLogs(sandbox.Record.Id);
        var pid = process?.Pid ?? p.Pid;
        var byPid = Path.Combine(logs, pid is null ? "console.log" : $"process-{pid}.log");
        if (process is not { Tag: null })
        {
            return byPid;
        }

        var byId = Path.Combine(logs, process.Id + ".log");
        return !File.Exists(byId) && File.Exists(byPid) && new DateTimeOffset(File.GetLastWriteTimeUtc(byPid)).ToUnixTimeMilliseconds() >= process.StartedUnixMs ? byPid : byId;
    }

    private async Task<bool> IsOverAsync(Sandbox sandbox, LogsParams p, LaunchedProcess? process, CancellationToken cancellationToken)
    {
        if (process is not null)
        {
            return (await launched.FindAsync(p.Ref, process.Id, cancellationToken).ConfigureAwait(false)).Process.HasEnded;
        }

        if (sandbox.Link is not { IsOver: false } link)
        {
            return true;
        }

        if (p.Pid is null)
        {
            return false;
        }

        var processes = await link.ProcessesAsync(cancellationToken).ConfigureAwait(false);
        return !processes.Processes.Any(x => x.Pid == p.Pid && x.Status == ProcessStatus.Running);
    }
}
