using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.IO;

namespace Vivarium.Runtimes.Cgroups;

/// <summary>
/// Tells when a cgroup's out-of-memory killer has struck, without polling. Version 1: an eventfd registered in <c>cgroup.event_control</c> for
/// <c>memory.oom_control</c>; version 2: inotify on <c>memory.events</c>. Sources: cgroup-v1/memory.rst chapter 10, cgroup-v2.rst, eventfd(2), inotify(7).
/// </summary>
public sealed partial class OomNotifier : IAsyncDisposable
{
    private const int EFD_CLOEXEC = 0x80000;
    private const int IN_CLOEXEC = 0x80000;
    private const uint IN_MODIFY = 2;
    private static readonly TimeSpan[] Settle = [TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(5), TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(80)];

    private readonly PollableFd events;
    private readonly Func<long> count;
    private long last;

    private OomNotifier(PollableFd events, Func<long> count)
    {
        this.events = events;
        this.count = count;
        last = count();
    }

    /// <summary>Waits for the next kill and returns how many there have been; null when the cgroup is gone.</summary>
    public async ValueTask<long?> NextAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[4096];
        while (true)
        {
            if (await events.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) == 0)
            {
                return null;
            }

            // Version 1 tells when memory runs out, an instant before the victim is counted.
            for (var i = 0; i <= Settle.Length; i++)
            {
                if (count() is var now && now != last)
                {
                    last = now;
                    return now;
                }

                if (i < Settle.Length)
                {
                    await Task.Delay(Settle[i], TimeProvider.System, cancellationToken).ConfigureAwait(false);
                }
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => events.DisposeAsync();

    internal static OomNotifier? Open(CgroupHierarchies hierarchies, string path)
    {
        if (hierarchies.Directory("memory", path) is not { } memory || !Directory.Exists(memory))
        {
            return null;
        }

        // A kill above notifies the cgroups below it, not the other way round.
        var work = $"{memory}/{WorkCgroup.Name}";
        var fd = hierarchies.Unified ? WatchEvents(memory + "/memory.events") : RegisterEvent(Directory.Exists(work) ? work : memory);
        return fd is null ? null : new OomNotifier(PollableFd.Take(fd), () => CgroupUsage.OomKills(hierarchies, path));
    }

    private static SafeFileHandle? RegisterEvent(string memory)
    {
        var number = EventFd(0, EFD_CLOEXEC);
        if (number < 0)
        {
            return null;
        }

        var fd = new SafeFileHandle(number, ownsHandle: true);
        try
        {
            using var source = File.OpenHandle(memory + "/memory.oom_control");
            using var control = new FileStream(memory + "/cgroup.event_control", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            var line = string.Create(CultureInfo.InvariantCulture, $"{number} {(int)source.DangerousGetHandle()}");
            control.Write(System.Text.Encoding.ASCII.GetBytes(line));
            return fd;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            fd.Dispose();
            return null;
        }
    }

    private static SafeFileHandle? WatchEvents(string file)
    {
        var number = InotifyInit1(IN_CLOEXEC);
        if (number < 0)
        {
            return null;
        }

        var fd = new SafeFileHandle(number, ownsHandle: true);
        if (InotifyAddWatch(number, file, IN_MODIFY) < 0)
        {
            fd.Dispose();
            return null;
        }

        return fd;
    }

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial int EventFd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "inotify_init1", SetLastError = true)]
    private static partial int InotifyInit1(int flags);

    [LibraryImport("libc", EntryPoint = "inotify_add_watch", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int InotifyAddWatch(int fd, string path, uint mask);
}
