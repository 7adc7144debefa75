using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.IO;

/// <summary>Events on files and directories. Source: inotify(7).</summary>
public sealed partial class Inotify : IDisposable
{
    private const int IN_CLOEXEC = 0x80000;

    private readonly PollableFd fd;
    private readonly byte[] buffer = new byte[64 * 1024];

    private Inotify(PollableFd fd) => this.fd = fd;

    /// <summary>A new instance; the user may have 128 or so (EMFILE).</summary>
    public static Inotify Create()
    {
        var fd = Init(IN_CLOEXEC);
        Libc.Check(fd, "watch files", null);
        return new Inotify(PollableFd.Take(new SafeFileHandle(fd, ownsHandle: true)));
    }

    /// <summary>Watches a file or directory (not below it); returns the watch's number, the old one when it is watched already.</summary>
    /// <exception cref="LinuxException">ENOSPC: the limit of watches (fs.inotify.max_user_watches) is reached.</exception>
    public int Add(string path, InotifyMask mask)
    {
        var watch = AddWatch(fd.Handle, path, (uint)mask);
        Libc.Check(watch, "watch", path);
        return watch;
    }

    /// <summary>Ends a watch; an <see cref="InotifyMask.Ignored"/> event follows.</summary>
    public void Remove(int watch) => _ = RemoveWatch(fd.Handle, watch); // EINVAL: it ended by itself, with its file

    /// <summary>Waits for events and returns all that are there.</summary>
    public async ValueTask<IReadOnlyList<InotifyEvent>> ReadAsync(CancellationToken cancellationToken)
    {
        var length = await fd.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        List<InotifyEvent> events = [];
        for (var at = 0; at + 16 <= length;)
        {
            var header = buffer.AsSpan(at);
            var nameBytes = BinaryPrimitives.ReadInt32LittleEndian(header[12..]);
            var name = buffer.AsSpan(at + 16, nameBytes);
            var end = name.IndexOf((byte)0);
            events.Add(new InotifyEvent(
                BinaryPrimitives.ReadInt32LittleEndian(header),
                (InotifyMask)BinaryPrimitives.ReadUInt32LittleEndian(header[4..]),
                BinaryPrimitives.ReadUInt32LittleEndian(header[8..]),
                Encoding.UTF8.GetString(end < 0 ? name : name[..end])));
            at += 16 + nameBytes;
        }

        return events;
    }

    /// <summary>Ends all watches.</summary>
    public void Dispose() => fd.Dispose();

    [LibraryImport("libc", EntryPoint = "inotify_init1", SetLastError = true)]
    private static partial int Init(int flags);

    [LibraryImport("libc", EntryPoint = "inotify_add_watch", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int AddWatch(SafeHandle fd, string path, uint mask);

    [LibraryImport("libc", EntryPoint = "inotify_rm_watch", SetLastError = true)]
    private static partial int RemoveWatch(SafeHandle fd, int watch);
}

/// <summary>One event; <paramref name="Name"/> is empty when it is about the watched thing itself, <paramref name="Cookie"/> pairs the two halves of a rename.</summary>
public readonly record struct InotifyEvent(int Watch, InotifyMask Mask, uint Cookie, string Name);

/// <summary>What to watch for and what happened. Source: inotify(7).</summary>
[Flags]
public enum InotifyMask : uint
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Content changed.</summary>
    Modify = 2,

    /// <summary>Metadata changed.</summary>
    Attributes = 4,

    /// <summary>A file open for writing was closed.</summary>
    CloseWrite = 8,

    /// <summary>A name went away by renaming.</summary>
    MovedFrom = 0x40,

    /// <summary>A name came by renaming.</summary>
    MovedTo = 0x80,

    /// <summary>A name was made.</summary>
    Create = 0x100,

    /// <summary>A name was removed.</summary>
    Delete = 0x200,

    /// <summary>The watched thing itself was removed.</summary>
    DeleteSelf = 0x400,

    /// <summary>The watched thing itself was renamed.</summary>
    MoveSelf = 0x800,

    /// <summary>Events were lost.</summary>
    Overflow = 0x4000,

    /// <summary>The watch has ended.</summary>
    Ignored = 0x8000,

    /// <summary>When adding: refuse what is no directory.</summary>
    OnlyDirectory = 0x01000000,

    /// <summary>When adding: do not follow a link.</summary>
    DontFollow = 0x02000000,

    /// <summary>When adding: no events of files that have no name any more.</summary>
    ExcludeUnlinked = 0x04000000,

    /// <summary>The event is about a directory.</summary>
    IsDirectory = 0x40000000,
}
