using System.Text.Json;
using Microsoft.Extensions.Logging;
using Vivarium.Host.Naming;
using Vivarium.Linux;
using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Ledger;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Supervision;

/// <summary>
/// What is left of a supervisor. Its lock file proves whether it lives; when it is dead, its last word is read, whatever its ledger still lists is released,
/// and its directory removed.
/// </summary>
internal sealed partial class SupervisorRemains(HostPaths paths, TimeProvider time, ILogger<SupervisorRemains> logger)
{
    /// <summary>For one that should be dead already.</summary>
    public static readonly TimeSpan NoPatience = TimeSpan.Zero;

    /// <summary>For one told to end at once.</summary>
    public static readonly TimeSpan ForcedPatience = TimeSpan.FromSeconds(5);

    /// <summary>For one that stops its guest in order.</summary>
    public static readonly TimeSpan OrderlyPatience = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan KillTime = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Waits until the supervisor is dead (killing it when patience is over), releases what it held and removes its directory. Returns its exit record, or
    /// <c>failed, supervisor_died</c> when it left none.
    /// </summary>
    public async Task<ExitRecord> RemoveAsync(SandboxId id, SupervisorLink? link, TimeSpan patience)
    {
        var files = paths.Supervisor(id);
        if (!Directory.Exists(files.Directory))
        {
            // The runtime directory is on a tmpfs: it goes when the machine does.
            return Died("its runtime directory is gone") with { Reason = "host_restarted", Message = "the machine was restarted" };
        }

        try
        {
            if (!await IsDeadWithinAsync(files, patience).ConfigureAwait(false))
            {
                Kill(id, files, link);
                if (!await IsDeadWithinAsync(files, KillTime).ConfigureAwait(false))
                {
                    throw new VivariumException(
                        ErrorCode.Internal, $"the supervisor of sandbox {id} cannot be killed", "It may hang in the kernel; look at its process and try again.", "supervisor_unkillable");
                }
            }
        }
        finally
        {
            // Also when it could not be removed: the next try finds its process by the lock file.
            if (link is not null)
            {
                await link.DisposeAsync().ConfigureAwait(false);
            }
        }

        var exit = ReadExit(files) ?? Died("it ended without a last word");
        await ReclaimAsync(id, files).ConfigureAwait(false);
        Directory.Delete(files.Directory, recursive: true);
        return exit;
    }

    /// <summary>Whether a supervisor lives in the directory: it holds the lock file for its whole life.</summary>
    /// <exception cref="IOException">It cannot be said now, for example for lack of descriptors. That is not "alive": the alive are killed by pid.</exception>
    public static bool IsAlive(SupervisorFiles files)
    {
        if (!File.Exists(files.Lock))
        {
            return false;
        }

        try
        {
            // FileShare.None is flock(LOCK_EX | LOCK_NB), the same lock the supervisor holds.
            using var taken = new FileStream(files.Lock, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        catch (IOException e) when (e.HResult == Errno.EAGAIN)
        {
            return true;
        }
    }

    /// <summary>The last word; null when there is none or it cannot be read.</summary>
    public static ExitRecord? ReadExit(SupervisorFiles files)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(files.Exit), SupervisorJson.Default.ExitRecord);
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private async Task ReclaimAsync(SandboxId id, SupervisorFiles files)
    {
        var leftovers = await Reclaim.RunAsync(files.Directory, CancellationToken.None).ConfigureAwait(false);
        if (leftovers.Count > 0)
        {
            LogLeftovers(id.Value, string.Join("; ", leftovers));
            throw new VivariumException(
                ErrorCode.Internal, $"sandbox {id}: {leftovers.Count} things could not be released ({leftovers[0]})", "Try again; the daemon's log lists them.", "leftovers");
        }
    }

    private async Task<bool> IsDeadWithinAsync(SupervisorFiles files, TimeSpan patience)
    {
        // Its end is near when somebody asks: short steps first, and never for longer than patience.
        var start = time.GetTimestamp();
        var step = TimeSpan.FromMilliseconds(1);
        while (IsAlive(files))
        {
            if (time.GetElapsedTime(start) >= patience)
            {
                return false;
            }

            await Task.Delay(step, time).ConfigureAwait(false);
            step = step < TimeSpan.FromMilliseconds(50) ? step * 1.5 : step;
        }

        return true;
    }

    private void Kill(SandboxId id, SupervisorFiles files, SupervisorLink? link)
    {
        // The lock is held, so the process a connection told us about lives and the pid is not somebody else's.
        var pid = link?.Info.Pid ?? SupervisorProcess.Find(files);
        LogKilling(id.Value, pid);
        if (pid > 1)
        {
            Signals.Send(pid, Signals.SIGKILL);
        }
    }

    private ExitRecord Died(string how) => new()
    {
        Phase = SupervisorPhase.Failed,
        Reason = "supervisor_died",
        Message = "the supervisor died: " + how,
        UnixMs = time.GetUtcNow().ToUnixTimeMilliseconds(),
    };

    [LoggerMessage(EventId = 1411, Level = LogLevel.Warning, Message = "killing the supervisor of sandbox {SandboxId}, pid {Pid}: it did not end in time")]
    private partial void LogKilling(string sandboxId, int pid);

    [LoggerMessage(EventId = 1412, Level = LogLevel.Error, Message = "sandbox {SandboxId} leaves behind: {Leftovers}")]
    private partial void LogLeftovers(string sandboxId, string leftovers);
}
