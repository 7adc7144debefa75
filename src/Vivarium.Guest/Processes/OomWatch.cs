using System.Buffers.Text;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Guest.Processes;

/// <summary>
/// Whether a process died for want of memory. The kernel counts such kills per memory cgroup; the count is read where the cgroup is visible inside (v2
/// <c>memory.events</c>, v1 <c>memory.oom_control</c>), and where it is not, the supervisor, which sees the cgroup from the host, sends it by the control message
/// <c>oom</c> whenever it changed.
/// </summary>
internal sealed class OomWatch
{
    private static readonly TimeSpan PushGrace = TimeSpan.FromMilliseconds(250);

    private static readonly string[] Sources = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events.local"];

    private readonly Lock _gate = new();
    private readonly SafeFileHandle? _source = Sources.Select(TryOpen).FirstOrDefault(static source => source is not null);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _pushed;
    private long _claimed;

    /// <summary>Whether the host said that it sends the count, so that a short wait for it makes sense.</summary>
    public bool HostPushes { get; set; }

    /// <summary>The host's count changed.</summary>
    public void OnPushed(long kills)
    {
        lock (_gate)
        {
            if (kills <= _pushed)
            {
                return;
            }

            _pushed = kills;
            _changed.TrySetResult();
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>The count now, to be kept from a process's start for <see cref="StruckAsync"/>.</summary>
    public long Count()
    {
        lock (_gate)
        {
            return CountNow();
        }
    }

    /// <summary>
    /// Whether the out-of-memory killer struck since <paramref name="countAtStart"/> in a way not yet put down to another process. Asked only for a process killed by a
    /// SIGKILL that is not ours, or that reports such an end of its child (137).
    /// </summary>
    public async Task<bool> StruckAsync(long countAtStart)
    {
        Task changed;
        lock (_gate)
        {
            changed = _changed.Task;
        }

        if (Claim(countAtStart))
        {
            return true;
        }

        if (!HostPushes || _source is not null)
        {
            return false;
        }

        try
        {
            // The host learns of it about when we do. CancellationToken.None: the wait is short and bounded by itself.
            await changed.WaitAsync(PushGrace, TimeProvider.System, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            return false;
        }

        return Claim(countAtStart);
    }

    private bool Claim(long countAtStart)
    {
        lock (_gate)
        {
            var count = CountNow();
            if (count <= Math.Max(countAtStart, _claimed))
            {
                return false;
            }

            _claimed = Math.Max(_claimed, countAtStart) + 1;
            return true;
        }
    }

    private long CountNow() => Math.Max(_pushed, _source is null ? 0 : ReadCount(_source) ?? 0);

    private static SafeFileHandle? TryOpen(string path)
    {
        try
        {
            var file = File.OpenHandle(path);
            if (ReadCount(file) is not null)
            {
                return file;
            }

            file.Dispose();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not visible here.
        }

        return null;
    }

    private static long? ReadCount(SafeFileHandle file)
    {
        Span<byte> buffer = stackalloc byte[1024];
        try
        {
            var text = buffer[..RandomAccess.Read(file, buffer, 0)];
            var at = text.StartsWith("oom_kill "u8) ? 0 : text.IndexOf("\noom_kill "u8) + 1;
            return (at > 0 || text.StartsWith("oom_kill "u8)) && Utf8Parser.TryParse(text[(at + "oom_kill ".Length)..], out long count, out _) ? count : null;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
