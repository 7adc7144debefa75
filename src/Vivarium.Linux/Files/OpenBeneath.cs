using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Files;

/// <summary>Opens a path below a directory so that nothing in it (.., links, mounts of magic) leads outside. Source: openat2(2).</summary>
public static partial class OpenBeneath
{
    private const long SYS_openat2 = 437;
    private const ulong RESOLVE_NO_MAGICLINKS = 2;
    private const ulong RESOLVE_NO_SYMLINKS = 4;
    private const ulong RESOLVE_BENEATH = 8;

    /// <summary>Opens for reading.</summary>
    /// <param name="root">Directory that must not be left.</param>
    /// <param name="relativePath">Path below it.</param>
    /// <param name="allowLinks">Whether symbolic links that stay below may be followed; not where openat2 is missing (gVisor).</param>
    /// <exception cref="LinuxException">EXDEV: the path leads outside; ELOOP: a link where none may be.</exception>
    public static SafeFileHandle Read(string root, string relativePath, bool allowLinks = true) => Open(root, relativePath, Libc.O_RDONLY, 0, allowLinks);

    /// <summary>Opens for writing, creating the file, refusing (EEXIST) when it exists.</summary>
    public static SafeFileHandle Create(string root, string relativePath, int mode, bool allowLinks = false) =>
        Open(root, relativePath, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_EXCL, (uint)mode, allowLinks);

    /// <summary>Opens a directory as a place for further work.</summary>
    public static SafeFileHandle Directory(string root, string relativePath, bool allowLinks = true) =>
        Open(root, relativePath, Libc.O_RDONLY | Libc.O_DIRECTORY, 0, allowLinks);

    private static unsafe SafeFileHandle Open(string root, string relativePath, int flags, uint mode, bool allowLinks)
    {
        using var directory = Libc.Open(root, Libc.O_PATH | Libc.O_DIRECTORY);
        using var arena = new NativeArena();
        // SAFETY: struct open_how is three 64-bit fields: flags, mode, resolve.
        var how = stackalloc ulong[3]
        {
            (ulong)(uint)(flags | Libc.O_CLOEXEC), mode,
            RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (allowLinks ? 0 : RESOLVE_NO_SYMLINKS),
        };
        while (true)
        {
            var fd = (int)Syscall(SYS_openat2, (int)directory.DangerousGetHandle(), arena.Text(relativePath), how, 24);
            if (fd >= 0)
            {
                return new SafeFileHandle(fd, ownsHandle: true);
            }

            switch (Marshal.GetLastPInvokeError())
            {
                case Errno.EINTR or Errno.EAGAIN:
                    continue; // EAGAIN: something was renamed while it looked
                case Errno.ENOSYS:
                    return Walk(directory, relativePath, flags, mode);
                case var error:
                    throw new LinuxException("open", Path.Combine(root, relativePath), error);
            }
        }
    }

    /// <summary>Where openat2 is missing: one step at a time, no links at all.</summary>
    private static SafeFileHandle Walk(SafeFileHandle root, string relativePath, int flags, uint mode)
    {
        var parts = relativePath.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(p => p != ".").ToArray();
        if (relativePath.StartsWith('/') || parts.Contains(".."))
        {
            throw new LinuxException("open", relativePath, Errno.EXDEV);
        }

        var at = root;
        try
        {
            for (var i = 0; i < parts.Length - 1; i++)
            {
                var next = StepInto(at, parts[i], Libc.O_PATH, relativePath);
                if (at != root)
                {
                    at.Dispose();
                }

                at = next;
            }

            var last = parts.Length == 0 ? "." : parts[^1];
            return (flags & Libc.O_DIRECTORY) != 0 ? StepInto(at, last, flags, relativePath) : Step(at, last, flags, mode, relativePath);
        }
        finally
        {
            if (at != root)
            {
                at.Dispose();
            }
        }
    }

    /// <summary>gVisor follows a final link in spite of O_NOFOLLOW when O_DIRECTORY is asked for too; so the name is opened as what it is and looked at first.</summary>
    private static SafeFileHandle StepInto(SafeFileHandle at, string name, int flags, string whole)
    {
        using var itself = Step(at, name, Libc.O_PATH, 0, whole);
        return FileStatus.Of(itself).Kind switch
        {
            FileKind.Directory => Step(itself, ".", flags | Libc.O_DIRECTORY, 0, whole),
            FileKind.SymbolicLink => throw new LinuxException("open", whole, Errno.ELOOP),
            _ => throw new LinuxException("open", whole, Errno.ENOTDIR),
        };
    }

    private static SafeFileHandle Step(SafeFileHandle at, string name, int flags, uint mode, string whole)
    {
        var fd = OpenAt((int)at.DangerousGetHandle(), name, flags | Libc.O_NOFOLLOW | Libc.O_CLOEXEC, mode);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw LinuxException.Last("open", whole);
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static unsafe partial long Syscall(long number, int directory, byte* path, ulong* how, nuint size);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenAt(int directory, string path, int flags, uint mode);
}
