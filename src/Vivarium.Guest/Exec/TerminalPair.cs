using System.Globalization;
using System.Runtime.InteropServices;
using Vivarium.Guest.Io;
using Vivarium.Linux;

namespace Vivarium.Guest.Exec;

/// <summary>A new pseudo terminal, both sides open and close-on-exec. Source: pty(7), pts(4).</summary>
internal static unsafe partial class TerminalPair
{
    private const int O_RDWR = 2;
    private const int O_NOCTTY = 0x100;
    private const nuint TIOCSPTLCK = 0x40045431;
    private const nuint TIOCGPTN = 0x80045430;

    /// <summary>Opens one in the sandbox's own <c>/dev/pts</c>.</summary>
    public static (int Master, int Slave) Open()
    {
        var master = OpenFile("/dev/ptmx", O_RDWR | O_NOCTTY | Libc.O_CLOEXEC);
        if (master < 0)
        {
            throw new LinuxException("open", "/dev/ptmx", Marshal.GetLastPInvokeError());
        }

        var unlocked = 0;
        uint number;

        // SAFETY: both requests read or write one int-sized local.
        if (Libc.Ioctl(master, TIOCSPTLCK, &unlocked) == 0 && Libc.Ioctl(master, TIOCGPTN, &number) == 0)
        {
            var slave = OpenFile(string.Create(CultureInfo.InvariantCulture, $"/dev/pts/{number}"), O_RDWR | O_NOCTTY | Libc.O_CLOEXEC);
            if (slave >= 0)
            {
                return (master, slave);
            }
        }

        var errno = Marshal.GetLastPInvokeError();
        _ = Libc.Close(master);
        throw new LinuxException("open a pseudo terminal", null, errno);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags);
}
