using Vivarium.Cli.Interop;

namespace Vivarium.Cli.Terminal;

/// <summary>Puts a terminal into raw mode and back; back also when called twice or from another thread.</summary>
internal sealed unsafe class RawMode : IDisposable
{
    private const int TcsaDrain = 1;
    private readonly int _fd;
    private Posix.Termios _saved;
    private int _active;

    private RawMode(int fd, Posix.Termios saved) => (_fd, _saved) = (fd, saved);

    /// <summary>Enters raw mode; null when the descriptor is no terminal.</summary>
    public static RawMode? TryEnter(int fd)
    {
        Posix.Termios state;

        // SAFETY: the struct is as large as the C library's.
        if (Posix.tcgetattr(fd, &state) != 0)
        {
            return null;
        }

        var mode = new RawMode(fd, state);
        mode.Enter();
        return mode;
    }

    /// <summary>Enters raw mode, also again after the shell has reset the terminal (SIGCONT).</summary>
    public void Enter()
    {
        var raw = _saved;

        // SAFETY: both work on the struct on our stack.
        Posix.cfmakeraw(&raw);
        _ = Posix.tcsetattr(_fd, TcsaDrain, &raw);
        Interlocked.Exchange(ref _active, 1);
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _active, 0) == 1)
        {
            var saved = _saved;

            // SAFETY: a copy on our stack.
            _ = Posix.tcsetattr(_fd, TcsaDrain, &saved);
        }
    }
}
