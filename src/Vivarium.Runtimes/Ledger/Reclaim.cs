using System.Runtime.InteropServices;
using Vivarium.Linux.Netlink;
using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Cgroups;

namespace Vivarium.Runtimes.Ledger;

/// <summary>
/// Releases what a ledger says is there, newest first. Idempotent: what is gone already is a success. A process is touched only when pid, start
/// time and boot id agree. Used by the supervisor at its end and by the daemon after a supervisor's death.
/// </summary>
public static partial class Reclaim
{
    private const int MNT_DETACH = 2;
    private const int UMOUNT_NOFOLLOW = 8;
    private const int EINVAL = 22;
    private const int ENOENT = 2;
    private static readonly TimeSpan KillDeadline = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan KillPoll = TimeSpan.FromMilliseconds(2);

    /// <summary>Releases everything in the ledger of a runtime directory; returns what could not be released, empty when all is gone.</summary>
    public static async Task<IReadOnlyList<string>> RunAsync(string runtimeDirectory, CancellationToken cancellationToken)
    {
        if (!File.Exists(Path.Combine(runtimeDirectory, SandboxLedger.FileName)))
        {
            return [];
        }

        using var ledger = SandboxLedger.OpenIn(runtimeDirectory);
        return await RunAsync(ledger, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Releases everything in an open ledger; returns what could not be released.</summary>
    public static async Task<IReadOnlyList<string>> RunAsync(SandboxLedger ledger, CancellationToken cancellationToken)
    {
        List<string> leftovers = [];
        foreach (var entry in ledger.Open.Reverse())
        {
            try
            {
                if (await ReleaseAsync(entry, cancellationToken).ConfigureAwait(false))
                {
                    ledger.Remove(entry);
                    continue;
                }

                leftovers.Add(entry.ToString());
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
            {
                leftovers.Add($"{entry} ({e.Message})");
            }
        }

        return leftovers;
    }

    /// <summary>Releases one thing; false when it is still there.</summary>
    internal static async Task<bool> ReleaseAsync(LedgerEntry entry, CancellationToken cancellationToken)
    {
        switch (entry.Kind)
        {
            case LedgerKind.Process:
                return LedgerEntry.ParseProcess(entry.Value) is not { } process || await EndAsync(process, cancellationToken).ConfigureAwait(false);
            case LedgerKind.Cgroup:
                var cgroup = new SandboxCgroup(entry.Value);
                return await cgroup.KillAsync(KillDeadline, cancellationToken).ConfigureAwait(false) && await RemoveAsync(cgroup, cancellationToken).ConfigureAwait(false);
            case LedgerKind.Mount:
                return Unmount(entry.Value);
            case LedgerKind.NetworkNamespace:
                if (!Unmount(entry.Value))
                {
                    return false;
                }

                File.Delete(entry.Value);
                return true;
            case LedgerKind.Link:
                Links.Delete(entry.Value);
                return true;
            case LedgerKind.Directory or LedgerKind.Container:
                DeleteTree(entry.Value);
                return true;
            default:
                return false; // a newer version's kind: leave it to that version
        }
    }

    /// <summary>Removes an emptied cgroup; the kernel may need an instant after the last process is gone.</summary>
    internal static async Task<bool> RemoveAsync(SandboxCgroup cgroup, CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!cgroup.Remove())
        {
            if (TimeProvider.System.GetElapsedTime(started) > KillDeadline)
            {
                return false;
            }

            await Task.Delay(KillPoll, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    private static async Task<bool> EndAsync(ProcessIdentity process, CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (process.Signal(Signals.SIGKILL))
        {
            if (TimeProvider.System.GetElapsedTime(started) > KillDeadline)
            {
                return false;
            }

            await Task.Delay(KillPoll, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    private static void DeleteTree(string path)
    {
        if (!Path.IsPathFullyQualified(path) || path.Count('/') < 2)
        {
            throw new ArgumentException($"'{path}' is not a directory a sandbox could own");
        }

        try
        {
            Directory.Delete(path, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // gone already
        }
    }

    private static bool Unmount(string path) =>
        Umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || Marshal.GetLastPInvokeError() is EINVAL or ENOENT; // not a mount point, or nothing there

    [LibraryImport("libc", EntryPoint = "umount2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Umount2(string target, int flags);
}
