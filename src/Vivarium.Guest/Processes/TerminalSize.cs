using System.Runtime.InteropServices;
using Vivarium.Guest.Io;

namespace Vivarium.Guest.Processes;

/// <summary>The window size of a terminal. Source: ioctl_tty(2), TIOCSWINSZ.</summary>
internal static class TerminalSize
{
    private const nuint TIOCSWINSZ = 0x5414;

    /// <summary>Sets it; sizes are clamped to 1 … 65535.</summary>
    public static unsafe void Set(int fd, int cols, int rows)
    {
        var size = new WindowSize { Rows = (ushort)Math.Clamp(rows, 1, ushort.MaxValue), Cols = (ushort)Math.Clamp(cols, 1, ushort.MaxValue) };

        // SAFETY: the kernel reads one struct winsize from a local.
        _ = Libc.Ioctl(fd, TIOCSWINSZ, &size);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct WindowSize
    {
        public ushort Rows;
        public ushort Cols;
        public ushort PixelsX;
        public ushort PixelsY;
    }
}
