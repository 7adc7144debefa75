using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Trees;

/// <summary>Opens directories below another without ever leaving it: openat2(2) with RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS.</summary>
internal static class BeneathHandle
{
    private const int PathBytes = 4000;

    /// <summary>Opens <paramref name="parts"/> (each a relative path without NUL), one after the other, so that the whole may be longer than PATH_MAX.</summary>
    internal static SafeFileHandle OpenDirectory(SafeFileHandle root, string pathForErrors, IEnumerable<byte[]> parts)
    {
        SafeFileHandle? current = null;
        foreach (var piece in parts.SelectMany(Split))
        {
            var next = OpenOne(current ?? root, piece, pathForErrors);
            current?.Dispose();
            current = next;
        }

        return current ?? OpenOne(root, [(byte)'.'], pathForErrors);
    }

    /// <summary>Cuts a long path at slashes into pieces the kernel takes.</summary>
    private static IEnumerable<byte[]> Split(byte[] path)
    {
        while (path.Length > PathBytes)
        {
            var cut = path.AsSpan(0, PathBytes).LastIndexOf((byte)'/');
            if (cut <= 0)
            {
                break;
            }

            yield return path[..cut];
            path = path[(cut + 1)..];
        }

        if (path.Length > 0)
        {
            yield return path;
        }
    }

    private static unsafe SafeFileHandle OpenOne(SafeFileHandle directory, byte[] relative, string pathForErrors)
    {
        var how = new TreeNative.OpenHow { Flags = Libc.O_DIRECTORY | Libc.O_NOFOLLOW | Libc.O_CLOEXEC, Resolve = TreeNative.ResolveBeneathNoLinks };
        byte[] name = [.. relative, 0];
        while (true)
        {
            nint fd;

            // SAFETY: the name ends with NUL, the structure is on this stack, the handle is kept alive by the caller.
            fixed (byte* pointer = name)
            {
                fd = TreeNative.OpenAt2((nint)TreeNative.OpenAt2Number, directory.DangerousGetHandle(), pointer, &how, (nuint)sizeof(TreeNative.OpenHow));
            }

            if (fd >= 0)
            {
                return new SafeFileHandle(fd, ownsHandle: true);
            }

            var errno = Marshal.GetLastPInvokeError();
            if (errno is not (Errno.EINTR or Errno.EAGAIN))
            {
                throw new LinuxException("open directory", $"{pathForErrors}/{Encoding.UTF8.GetString(relative)}", errno);
            }
        }
    }
}
