using System.Buffers.Binary;
using System.Text.Json;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Exec;

/// <summary>Frames of the exec port: u8 channel, u32 big-endian length, bytes.</summary>
internal static class ExecFrame
{
    /// <summary>Bytes before the payload.</summary>
    public const int HeaderBytes = 5;

    /// <summary>Writes a header.</summary>
    public static void WriteHeader(Span<byte> destination, byte channel, int length)
    {
        destination[0] = channel;
        BinaryPrimitives.WriteUInt32BigEndian(destination[1..], (uint)length);
    }

    /// <summary>Reads a header.</summary>
    /// <exception cref="InvalidDataException">The channel is not one a peer may send, or the frame is longer than <see cref="ExecRequest.MaxFrameBytes"/>.</exception>
    public static (byte Channel, int Length) ReadHeader(ReadOnlySpan<byte> header)
    {
        var length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        if (header[0] is not (ExecChannel.Stdin or ExecChannel.Control))
        {
            throw new InvalidDataException($"a frame on channel {header[0]} cannot come from the host");
        }

        return length <= ExecRequest.MaxFrameBytes
            ? (header[0], (int)length)
            : throw new InvalidDataException($"a frame of {length} bytes is longer than {ExecRequest.MaxFrameBytes}");
    }

    /// <summary>A whole control frame.</summary>
    public static byte[] Control(ExecControl message)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(message, GuestJson.Default.ExecControl);
        var frame = new byte[HeaderBytes + json.Length];
        WriteHeader(frame, ExecChannel.Control, json.Length);
        json.CopyTo(frame, HeaderBytes);
        return frame;
    }
}
