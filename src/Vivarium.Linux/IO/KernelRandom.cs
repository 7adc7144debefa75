using System.Runtime.InteropServices;

namespace Vivarium.Linux.IO;

/// <summary>
/// Random bytes from the kernel. The framework's generator is OpenSSL's, which a short-lived program would load for nothing else: 4 of the 25 ms of CPU that a
/// supervisor cost. Source: getrandom(2).
/// </summary>
public static partial class KernelRandom
{
    /// <summary>So many bytes, fit for keys and tokens.</summary>
    public static unsafe byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        // SAFETY: the array is pinned for the calls and the rest of its length bounds each.
        fixed (byte* p = bytes)
        {
            for (var done = 0; done < count;)
            {
                var got = GetRandom(p + done, (nuint)(count - done), 0);
                if (got < 0 && Marshal.GetLastPInvokeError() != Errno.EINTR)
                {
                    throw LinuxException.Last("getrandom", null);
                }

                done += (int)Math.Max(got, 0);
            }
        }

        return bytes;
    }

    /// <summary>So many lower-case hexadecimal digits; an even number.</summary>
    public static string Hex(int digits) => Convert.ToHexStringLower(Bytes(digits / 2));

    [LibraryImport("libc", EntryPoint = "getrandom", SetLastError = true)]
    private static unsafe partial nint GetRandom(byte* buffer, nuint count, uint flags);
}
