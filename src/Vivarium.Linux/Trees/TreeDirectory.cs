using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Trees;

/// <summary>
/// An open directory. Names are bytes with a NUL at their end (<see cref="Text"/> shows one); nothing here follows a symbolic link.
/// </summary>
public sealed unsafe class TreeDirectory : IDisposable
{
    private const int ListBufferBytes = 64 * 1024;
    private const int LinkBytes = 4096;
    private const int AttributeBytes = 64 * 1024;

    private TreeDirectory(SafeFileHandle handle, string path)
    {
        Handle = handle;
        Path = path;
    }

    /// <summary>The descriptor.</summary>
    public SafeFileHandle Handle { get; }

    /// <summary>For messages only.</summary>
    public string Path { get; }

    private int Fd => (int)Handle.DangerousGetHandle();

    /// <summary>Opens a directory by path.</summary>
    public static TreeDirectory Open(string path) => new(Libc.Open(path, Libc.O_DIRECTORY | Libc.O_NOFOLLOW), path);

    /// <summary>A name as text, for messages.</summary>
    public static string Text(ReadOnlySpan<byte> name) => Encoding.UTF8.GetString(name.TrimEnd((byte)0));

    /// <summary>A text as a name.</summary>
    public static byte[] Name(string text) => [.. Encoding.UTF8.GetBytes(text), 0];

    /// <summary>Opens a child directory.</summary>
    public TreeDirectory OpenChild(ReadOnlySpan<byte> name) =>
        new(OpenAt(name, Libc.O_DIRECTORY, 0), $"{Path}/{Text(name)}");

    /// <summary>Opens a descendant by relative path (slashes, no NUL), of any length.</summary>
    public TreeDirectory OpenBeneath(byte[] relative) =>
        new(BeneathHandle.OpenDirectory(Handle, Path, [relative]), Path);

    /// <summary>Opens a child file for reading, without blocking on a FIFO.</summary>
    public SafeFileHandle OpenFile(ReadOnlySpan<byte> name) => OpenAt(name, Libc.O_RDONLY | Libc.O_NONBLOCK | Libc.O_NOCTTY, 0);

    /// <summary>Makes a child file that must not exist, for writing.</summary>
    public SafeFileHandle CreateFile(ReadOnlySpan<byte> name, uint mode) => OpenAt(name, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_EXCL, mode);

    /// <summary>All names, in the order of their bytes.</summary>
    public List<byte[]> Names()
    {
        var names = new List<byte[]>();
        var buffer = ArrayPool<byte>.Shared.Rent(ListBufferBytes);
        try
        {
            TreeNative.Seek(Fd, 0, 0);
            while (true)
            {
                nint length;

                // SAFETY: the pinned buffer has at least the length passed.
                fixed (byte* pointer = buffer)
                {
                    length = TreeNative.GetDents(Fd, pointer, ListBufferBytes);
                }

                if (length < 0)
                {
                    throw LinuxException.Last("list directory", Path);
                }

                if (length == 0)
                {
                    break;
                }

                Parse(buffer.AsSpan(0, (int)length), names);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        names.Sort(static (a, b) => a.AsSpan().SequenceCompareTo(b));
        return names;
    }

    /// <summary>Status of a child, null when it is gone.</summary>
    public EntryStatus? Status(ReadOnlySpan<byte> name) => EntryStatus.Of(Fd, name, $"{Path}/{Text(name)}");

    /// <summary>Target of a symbolic link, without NUL.</summary>
    public byte[] ReadLink(ReadOnlySpan<byte> name)
    {
        Span<byte> buffer = stackalloc byte[LinkBytes];
        nint length;

        // SAFETY: both are pinned, the name ends with NUL.
        fixed (byte* namePointer = name, bufferPointer = buffer)
        {
            length = TreeNative.ReadLinkAt(Fd, namePointer, bufferPointer, (nuint)buffer.Length);
        }

        return length >= 0 ? buffer[..(int)length].ToArray() : throw LinuxException.Last("read link", $"{Path}/{Text(name)}");
    }

    /// <summary>Extended attributes of a child (names with NUL), in the order of their names; none where the file system has none.</summary>
    public List<(byte[] Name, byte[] Value)> Attributes(ReadOnlySpan<byte> name)
    {
        var path = ProcPath(name);
        var buffer = ArrayPool<byte>.Shared.Rent(AttributeBytes);
        try
        {
            var result = new List<(byte[] Name, byte[] Value)>();

            // SAFETY: everything is pinned and the lengths passed are those of the buffers; the path and the names end with NUL.
            fixed (byte* pathPointer = path, bufferPointer = buffer)
            {
                var length = TreeNative.ListAttributes(pathPointer, bufferPointer, AttributeBytes);
                if (length <= 0)
                {
                    return length == 0 || Marshal.GetLastPInvokeError() is Errno.EOPNOTSUPP or Errno.ENODATA
                        ? result
                        : throw LinuxException.Last("list attributes of", $"{Path}/{Text(name)}");
                }

                var list = buffer.AsSpan(0, (int)length).ToArray();
                for (var start = 0; start < list.Length;)
                {
                    var end = Array.IndexOf(list, (byte)0, start) + 1;
                    var attribute = list[start..end];
                    start = end;
                    fixed (byte* attributePointer = attribute)
                    {
                        var size = TreeNative.GetAttribute(pathPointer, attributePointer, bufferPointer, AttributeBytes);
                        if (size >= 0)
                        {
                            result.Add((attribute, buffer.AsSpan(0, (int)size).ToArray()));
                        }
                    }
                }
            }

            result.Sort(static (a, b) => a.Name.AsSpan().SequenceCompareTo(b.Name));
            return result;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Handle.Dispose();

    /// <summary>A path the calls without a directory argument take: the descriptor's own name in /proc, then the child.</summary>
    internal byte[] ProcPath(ReadOnlySpan<byte> name) => [.. Encoding.ASCII.GetBytes($"/proc/self/fd/{Fd}/"), .. name];

    private SafeFileHandle OpenAt(ReadOnlySpan<byte> name, int flags, uint mode)
    {
        while (true)
        {
            int fd;

            // SAFETY: the name is pinned and ends with NUL.
            fixed (byte* pointer = name)
            {
                fd = TreeNative.OpenAt(Fd, pointer, flags | Libc.O_NOFOLLOW | Libc.O_CLOEXEC, mode);
            }

            if (fd >= 0)
            {
                return new SafeFileHandle(fd, ownsHandle: true);
            }

            if (Marshal.GetLastPInvokeError() != Errno.EINTR)
            {
                throw LinuxException.Last("open", $"{Path}/{Text(name)}");
            }
        }
    }

    private static void Parse(ReadOnlySpan<byte> entries, List<byte[]> names)
    {
        // struct linux_dirent64: inode, offset, record length (16 bits), type, name.
        const int nameOffset = 19;
        while (entries.Length >= nameOffset)
        {
            var length = BinaryPrimitives.ReadUInt16LittleEndian(entries[16..]);
            var name = entries[nameOffset..length];
            name = name[..(name.IndexOf((byte)0) + 1)];
            if (!name.SequenceEqual(".\0"u8) && !name.SequenceEqual("..\0"u8))
            {
                names.Add(name.ToArray());
            }

            entries = entries[length..];
        }
    }
}
