using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Terminals;

/// <summary>A new pseudo-terminal: the side we hold and the side a process gets. Sources: pty(7), ioctl_tty(2).</summary>
public static class Pty
{
    private const nuint TIOCGPTN = 0x80045430;
    private const nuint TIOCSPTLCK = 0x40045431;

    /// <summary>Opens a pair of the given size; both close-on-exec, neither becomes our controlling terminal.</summary>
    public static unsafe (SafeFileHandle Controller, SafeFileHandle Terminal) Open(int columns, int rows)
    {
        var controller = Libc.Open("/dev/ptmx", Libc.O_RDWR | Libc.O_NOCTTY);
        try
        {
            int unlock = 0, number;
            // SAFETY: both requests take the address of an int.
            Libc.Check(Libc.Ioctl(controller, TIOCSPTLCK, &unlock), "unlock the terminal of", "/dev/ptmx");
            Libc.Check(Libc.Ioctl(controller, TIOCGPTN, &number), "number the terminal of", "/dev/ptmx");
            var terminal = Libc.Open("/dev/pts/" + number.ToString(CultureInfo.InvariantCulture), Libc.O_RDWR | Libc.O_NOCTTY);
            TerminalSize.Set(controller, columns, rows);
            return (controller, terminal);
        }
        catch
        {
            controller.Dispose();
            throw;
        }
    }
}

/// <summary>Size of a terminal in characters. Source: TIOCSWINSZ in ioctl_tty(2).</summary>
public static class TerminalSize
{
    private const nuint TIOCGWINSZ = 0x5413;
    private const nuint TIOCSWINSZ = 0x5414;

    /// <summary>Sets it; the foreground processes get SIGWINCH when it changed. Values are clamped to 1…65535.</summary>
    public static unsafe void Set(SafeHandle terminal, int columns, int rows)
    {
        // SAFETY: struct winsize is four unsigned shorts: rows, columns, and two that nobody uses.
        var size = stackalloc ushort[4] { (ushort)Math.Clamp(rows, 1, ushort.MaxValue), (ushort)Math.Clamp(columns, 1, ushort.MaxValue), 0, 0 };
        Libc.Check(Libc.Ioctl(terminal, TIOCSWINSZ, size), "set terminal size", null);
    }

    /// <summary>Columns and rows; null when it is no terminal or does not know.</summary>
    public static unsafe (int Columns, int Rows)? Get(SafeHandle terminal)
    {
        var size = stackalloc ushort[4];
        // SAFETY: as above.
        return Libc.Ioctl(terminal, TIOCGWINSZ, size) == 0 && size[0] > 0 && size[1] > 0 ? (size[1], size[0]) : null;
    }
}
