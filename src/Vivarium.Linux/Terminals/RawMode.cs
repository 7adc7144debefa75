using System.Runtime.InteropServices;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Terminals;

/// <summary>A terminal that passes every key through, until disposed. Source: termios(3), cfmakeraw there.</summary>
public sealed unsafe partial class RawMode : IDisposable
{
    private const int TermiosBytes = 60; // struct termios of glibc and musl
    private const int TCSADRAIN = 1;

    private readonly SafeHandle terminal;
    private readonly byte[] before = new byte[TermiosBytes];
    private bool restored;

    private RawMode(SafeHandle terminal) => this.terminal = terminal;

    /// <summary>Whether it is a terminal at all.</summary>
    public static bool IsTerminal(SafeHandle handle)
    {
        var state = stackalloc byte[TermiosBytes + 4];
        // SAFETY: tcgetattr fills struct termios, 60 bytes.
        return TcGetAttr(handle, state) == 0;
    }

    /// <summary>Switches to raw mode; null when it is no terminal. Call <see cref="Dispose"/> on every way out, signals included.</summary>
    public static RawMode? Enter(SafeHandle terminal)
    {
        var mode = new RawMode(terminal);
        var state = stackalloc byte[TermiosBytes + 4];
        // SAFETY: as above; cfmakeraw and tcsetattr take the same structure.
        if (TcGetAttr(terminal, state) != 0)
        {
            return null;
        }

        new Span<byte>(state, TermiosBytes).CopyTo(mode.before);
        CfMakeRaw(state);
        Libc.Check(TcSetAttr(terminal, TCSADRAIN, state), "set terminal mode", null);
        return mode;
    }

    /// <summary>Restores what was; safe to call twice.</summary>
    public void Dispose()
    {
        if (restored)
        {
            return;
        }

        restored = true;
        // SAFETY: the array holds a whole struct termios and is pinned for the call.
        fixed (byte* state = before)
        {
            _ = TcSetAttr(terminal, TCSADRAIN, state); // a terminal that has gone needs no restoring
        }
    }

    [LibraryImport("libc", EntryPoint = "tcgetattr", SetLastError = true)]
    private static partial int TcGetAttr(SafeHandle fd, byte* state);

    [LibraryImport("libc", EntryPoint = "tcsetattr", SetLastError = true)]
    private static partial int TcSetAttr(SafeHandle fd, int when, byte* state);

    [LibraryImport("libc", EntryPoint = "cfmakeraw")]
    private static partial void CfMakeRaw(byte* state);
}
