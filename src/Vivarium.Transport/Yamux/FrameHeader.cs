using System.Buffers.Binary;

namespace Vivarium.Transport.Yamux;

/// <summary>
/// The 12-byte header of a yamux frame, version 0: u8 version, u8 type, u16 flags, u32 stream id, u32 length, big-endian.
/// Source: https://github.com/hashicorp/yamux/blob/master/spec.md
/// </summary>
internal readonly record struct FrameHeader(byte Version, FrameType Type, FrameFlags Flags, uint StreamId, uint Length)
{
    public const int Size = 12;
    public const byte CurrentVersion = 0;

    public FrameHeader(FrameType type, FrameFlags flags, uint streamId, uint length)
        : this(CurrentVersion, type, flags, streamId, length)
    {
    }

    public static FrameHeader Read(ReadOnlySpan<byte> bytes) => new(
        bytes[0],
        (FrameType)bytes[1],
        (FrameFlags)BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]),
        BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]),
        BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]));

    public void Write(Span<byte> bytes)
    {
        bytes[0] = Version;
        bytes[1] = (byte)Type;
        BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], (ushort)Flags);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], StreamId);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[8..], Length);
    }
}

/// <summary>What a frame is.</summary>
internal enum FrameType : byte
{
    /// <summary>Bytes of a stream; the length is their number.</summary>
    Data = 0,

    /// <summary>The receiver may send this many more bytes; no payload.</summary>
    WindowUpdate = 1,

    /// <summary>SYN asks, ACK answers with the same opaque length; no payload.</summary>
    Ping = 2,

    /// <summary>The session ends; the length is a <see cref="GoAwayCode"/>.</summary>
    GoAway = 3,

    /// <summary>
    /// Ours, not of the specification: the connection stands still at the end of a frame, so that a side can be saved with its memory. SYN asks for it and is the last frame of
    /// its sender for now, ACK answers and is the last of the other; FIN lets both go on; RST, first over a new connection, tells a side brought back from memory that it
    /// is one, RST with ACK answers that from the side's new session. No payload.
    /// </summary>
    Hold = 16,
}

/// <summary>Flags of a frame.</summary>
[Flags]
internal enum FrameFlags : ushort
{
    None = 0,
    Syn = 1,
    Ack = 2,
    Fin = 4,
    Rst = 8,
}

/// <summary>Why a session ends, on the wire.</summary>
internal enum GoAwayCode : uint
{
    Normal = 0,
    ProtocolError = 1,
    InternalError = 2,
}
