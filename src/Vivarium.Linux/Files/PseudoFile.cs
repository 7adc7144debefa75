using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Files;

/// <summary>The small text files of /proc, /sys and cgroups, where one write is one request and its error number is the answer.</summary>
public static partial class PseudoFile
{
    /// <summary>Writes in a single write(2).</summary>
    /// <exception cref="LinuxException">The kernel's answer.</exception>
    public static unsafe void Write(string path, string text)
    {
        using var file = Libc.Open(path, Libc.O_WRONLY);
        var bytes = Encoding.UTF8.GetBytes(text);
        // SAFETY: the array is pinned for the call and its length is passed.
        fixed (byte* p = bytes)
        {
            nint written;
            do
            {
                written = WriteRaw(file, p, (nuint)bytes.Length);
            }
            while (written < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
            if (written < 0)
            {
                throw LinuxException.Last($"write '{text}' to", path);
            }
        }
    }

    /// <summary>Reads the whole text, trimmed; null when the file is missing or what it speaks of has gone (ENODEV, ESRCH).</summary>
    public static string? TryRead(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (IOException)
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Reads what fits into the buffer, with one open(2) and as few read(2) as it takes; returns the number of bytes, or -1 when the file cannot be read.</summary>
    public static unsafe int TryRead(string path, Span<byte> buffer)
    {
        try
        {
            using var file = Libc.Open(path, Libc.O_RDONLY);
            var count = 0;
            // SAFETY: the span is pinned for the calls and its length bounds them.
            fixed (byte* p = buffer)
            {
                while (count < buffer.Length)
                {
                    var read = ReadRaw(file, p + count, (nuint)(buffer.Length - count));
                    if (read <= 0 && (read == 0 || Marshal.GetLastPInvokeError() != Errno.EINTR))
                    {
                        return read == 0 ? count : -1;
                    }

                    count += (int)Math.Max(read, 0);
                }
            }

            return count;
        }
        catch (LinuxException)
        {
            return -1;
        }
    }

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static unsafe partial nint ReadRaw(SafeHandle fd, byte* data, nuint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static unsafe partial nint WriteRaw(SafeHandle fd, byte* data, nuint count);
}
