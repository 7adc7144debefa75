namespace Vivarium.Cli.Streams;

/// <summary>Finds Ctrl-P Ctrl-Q in typed input. A Ctrl-P is held back until the next key says what it was.</summary>
internal sealed class DetachKeys
{
    private const byte CtrlP = 0x10;
    private const byte CtrlQ = 0x11;
    private bool _held;

    /// <summary>Moves input into <paramref name="target"/> (one byte larger than the input); returns its length, and whether the keys were pressed.</summary>
    public (int Length, bool Detach) Filter(ReadOnlySpan<byte> input, Span<byte> target)
    {
        var length = 0;
        foreach (var key in input)
        {
            if (_held && key == CtrlQ)
            {
                return (length, true);
            }

            if (_held)
            {
                target[length++] = CtrlP;
            }

            _held = key == CtrlP;
            if (!_held)
            {
                target[length++] = key;
            }
        }

        return (length, false);
    }
}
