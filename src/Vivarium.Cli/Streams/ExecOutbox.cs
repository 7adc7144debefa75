using System.Text.Json;
using Vivarium.Cli.Interop;
using Vivarium.Wire.Guest;

namespace Vivarium.Cli.Streams;

/// <summary>Frames on their way to the guest over a non-blocking stream. Input is read only when this is empty, which bounds it.</summary>
internal sealed class ExecOutbox(int fd)
{
    private byte[] _bytes = new byte[4 * 1024];
    private int _start;
    private int _end;
    private bool _closed;

    public bool Empty => _start == _end;

    public void Add(ExecControl message) => Add(ExecChannel.Control, JsonSerializer.SerializeToUtf8Bytes(message, GuestJson.Default.ExecControl));

    public void Add(byte channel, ReadOnlySpan<byte> payload)
    {
        if (_end + payload.Length + 8 > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _end + payload.Length + 8));
        }

        _end += ExecFrames.Write(_bytes.AsSpan(_end), channel, payload);
    }

    /// <summary>Sends what the stream takes now. A peer that is gone is noticed by the reading side, with what it said last.</summary>
    public void Flush()
    {
        while (!Empty)
        {
            var count = _closed ? -2 : Fd.Write(fd, _bytes.AsSpan(_start, _end - _start));
            if (count == -1)
            {
                return;
            }

            _closed |= count == -2;
            _start += count == -2 ? _end - _start : count;
        }

        (_start, _end) = (0, 0);
    }
}
