using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Trees;

/// <summary>Copies the data of one file: reflink (FICLONE), else the parts that are not holes (SEEK_DATA) by copy_file_range(2).</summary>
internal static unsafe class FileData
{
    private const int BufferBytes = 256 * 1024;

    /// <summary>Copies all of <paramref name="input"/> into the empty <paramref name="output"/>; true when the data is shared now.</summary>
    internal static bool Copy(SafeFileHandle input, SafeFileHandle output, long size, string pathForErrors)
    {
        if (size == 0)
        {
            return false;
        }

        int source = (int)input.DangerousGetHandle(), target = (int)output.DangerousGetHandle();
        if (Libc.Ioctl(output, TreeNative.FileClone, (nint)source) == 0)
        {
            return true;
        }

        for (long position = 0; position < size;)
        {
            var start = TreeNative.Seek(source, position, TreeNative.SeekData);
            if (start < 0)
            {
                if (Marshal.GetLastPInvokeError() != Errno.ENXIO)
                {
                    throw LinuxException.Last("read", pathForErrors);
                }

                break;
            }

            var end = TreeNative.Seek(source, start, TreeNative.SeekHole);
            if (end < 0)
            {
                throw LinuxException.Last("read", pathForErrors);
            }

            CopyRange(input, output, start, Math.Min(end, size), pathForErrors);
            position = end;
        }

        return TreeNative.Truncate(target, size) == 0 ? false : throw LinuxException.Last("write", pathForErrors);
    }

    private static void CopyRange(SafeFileHandle input, SafeFileHandle output, long start, long end, string pathForErrors)
    {
        long from = start, to = start;
        while (from < end)
        {
            var copied = TreeNative.CopyRange((int)input.DangerousGetHandle(), &from, (int)output.DangerousGetHandle(), &to, (nuint)(end - from), 0);
            if (copied > 0)
            {
                continue;
            }

            if (copied == 0)
            {
                // The file became shorter.
                return;
            }

            switch (Marshal.GetLastPInvokeError())
            {
                case Errno.EINTR:
                    continue;
                case Errno.EXDEV or Errno.EINVAL or Errno.ENOSYS or Errno.EOPNOTSUPP:
                    CopyByHand(input, output, from, end);
                    return;
                case var errno:
                    throw new LinuxException("copy to", pathForErrors, errno);
            }
        }
    }

    private static void CopyByHand(SafeFileHandle input, SafeFileHandle output, long start, long end)
    {
        var buffer = new byte[BufferBytes];
        while (start < end)
        {
            var read = RandomAccess.Read(input, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - start)), start);
            if (read == 0)
            {
                return;
            }

            RandomAccess.Write(output, buffer.AsSpan(0, read), start);
            start += read;
        }
    }
}
