using Vivarium.Cli.Interop;

namespace Vivarium.Cli.Terminal;

/// <summary>Size of a terminal in characters.</summary>
internal static class TerminalSize
{
    /// <summary>The size, or null when the descriptor is no terminal or its size is not known.</summary>
    public static unsafe (int Cols, int Rows)? Of(int fd)
    {
        Posix.WinSize size;

        // SAFETY: TIOCGWINSZ fills exactly this struct.
        return Posix.ioctl(fd, Posix.Tiocgwinsz, &size) == 0 && size.Cols > 0 && size.Rows > 0 ? (size.Cols, size.Rows) : null;
    }
}
