using System.Buffers.Binary;

namespace Vivarium.Transport.Guest;

/// <summary>
/// A piece of an exec connection. A long data frame may come in several pieces (channels 0 to 3 are byte streams, their
/// frame borders mean nothing); a control frame always comes whole.
/// </summary>
/// <param name="Channel">One of <see cref="Wire.Guest.ExecChannel"/>.</param>
/// <param name="Payload">The bytes, valid until the next read; empty on channel 0 = end of input.</param>
public readonly record struct ExecFrame(byte Channel, ReadOnlyMemory<byte> Payload)
{
    /// <summary>Bytes of a frame's header: u8 channel, u32 big-endian length.</summary>
    public const int HeaderBytes = 5;

    /// <summary>Writes a header.</summary>
    public static void WriteHeader(Span<byte> destination, byte channel, int length)
    {
        destination[0] = channel;
        BinaryPrimitives.WriteUInt32BigEndian(destination[1..], (uint)length);
    }
}
