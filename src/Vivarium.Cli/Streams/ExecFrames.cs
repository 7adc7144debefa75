using System.Buffers.Binary;
using System.Text.Json;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Cli.Streams;

/// <summary>
/// Takes exec frames apart as bytes arrive: output goes on at once, also from half a frame, so that it is written from the receive buffer; control
/// messages are collected whole.
/// </summary>
internal sealed class ExecFrames(Func<byte, ReadOnlySpan<byte>, bool> output, Action<ExecControl> control)
{
    private const int HeaderLength = 5;
    private readonly byte[] _header = new byte[HeaderLength];
    private int _headerFilled;
    private int _left;
    private byte[] _control = [];
    private int _controlFilled;

    /// <summary>Takes bytes; false when the output's reader is gone.</summary>
    public bool Take(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_headerFilled < HeaderLength)
            {
                var count = Math.Min(HeaderLength - _headerFilled, bytes.Length);
                bytes[..count].CopyTo(_header.AsSpan(_headerFilled));
                _headerFilled += count;
                bytes = bytes[count..];
                if (_headerFilled < HeaderLength)
                {
                    return true;
                }

                BeginFrame();
            }
            else
            {
                var part = bytes[..Math.Min(_left, bytes.Length)];
                bytes = bytes[part.Length..];
                _left -= part.Length;
                if (_header[0] == ExecChannel.Control)
                {
                    part.CopyTo(_control.AsSpan(_controlFilled));
                    _controlFilled += part.Length;
                }
                else if (!output(_header[0], part))
                {
                    return false;
                }
            }

            if (_headerFilled == HeaderLength && _left == 0)
            {
                EndFrame();
            }
        }

        return true;
    }

    /// <summary>A frame as it goes out.</summary>
    public static int Write(Span<byte> target, byte channel, ReadOnlySpan<byte> payload)
    {
        target[0] = channel;
        BinaryPrimitives.WriteUInt32BigEndian(target[1..], (uint)payload.Length);
        payload.CopyTo(target[HeaderLength..]);
        return HeaderLength + payload.Length;
    }

    private void BeginFrame()
    {
        var length = BinaryPrimitives.ReadUInt32BigEndian(_header.AsSpan(1));
        if (length > ExecRequest.MaxFrameBytes)
        {
            throw new VivariumException(ErrorCode.Internal, $"the sandbox sent a frame of {length} bytes, more than allowed");
        }

        _left = (int)length;
        if (_header[0] == ExecChannel.Control)
        {
            _control = new byte[_left];
            _controlFilled = 0;
        }
    }

    private void EndFrame()
    {
        _headerFilled = 0;
        if (_header[0] != ExecChannel.Control)
        {
            return;
        }

        try
        {
            if (JsonSerializer.Deserialize(_control, GuestJson.Default.ExecControl) is { } message)
            {
                control(message);
            }
        }
        catch (JsonException e)
        {
            throw new VivariumException(ErrorCode.Internal, "the sandbox sent a control message that is not JSON", inner: e);
        }
    }
}
