using System.Buffers.Binary;
using System.Text;

namespace Vivarium.Linux.Netlink;

/// <summary>
/// One netlink request being written: header, the family's own structure, attributes. Everything is in host byte order but what an attribute says
/// otherwise. Source: netlink(7), rtnetlink(7), linux/netlink.h.
/// </summary>
internal sealed class NetlinkMessage
{
    public const ushort Request = 0x1;
    public const ushort Ack = 0x4;
    public const ushort Dump = 0x300;
    public const ushort Create = 0x400;
    public const ushort Exclusive = 0x200;
    public const ushort Replace = 0x100;
    public const int HeaderLength = 16;

    private const ushort Nested = 0x8000;

    private byte[] bytes = new byte[256];
    private int length = HeaderLength;

    public NetlinkMessage(ushort type, ushort flags)
    {
        Type = type;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(4), type);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(6), (ushort)(flags | Request));
    }

    /// <summary>Message type, for errors.</summary>
    public ushort Type { get; }

    /// <summary>The finished message with its sequence number.</summary>
    public ReadOnlySpan<byte> Finish(uint sequence)
    {
        BinaryPrimitives.WriteInt32LittleEndian(bytes, length);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), sequence);
        return bytes.AsSpan(0, length);
    }

    /// <summary>Room for a structure of so many bytes, zeroed.</summary>
    public Span<byte> Struct(int size)
    {
        var aligned = (size + 3) & ~3;
        Grow(aligned);
        var span = bytes.AsSpan(length, aligned);
        span.Clear();
        length += aligned;
        return span;
    }

    public NetlinkMessage Put(ushort attribute, ReadOnlySpan<byte> value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(Struct(4), (uint)(4 + value.Length) | ((uint)attribute << 16));
        value.CopyTo(Struct(value.Length));
        return this;
    }

    public NetlinkMessage Put(ushort attribute, byte value) => Put(attribute, [value]);

    public NetlinkMessage Put(ushort attribute, int value)
    {
        Span<byte> four = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(four, value);
        return Put(attribute, four);
    }

    /// <summary>Text with its terminating NUL.</summary>
    public NetlinkMessage Put(ushort attribute, string text) => Put(attribute, Encoding.ASCII.GetBytes(text + "\0"));

    /// <summary>Opens a nested attribute; close it with <see cref="End"/>.</summary>
    public int Begin(ushort attribute)
    {
        var start = length;
        BinaryPrimitives.WriteUInt32LittleEndian(Struct(4), (uint)(attribute | Nested) << 16);
        return start;
    }

    public NetlinkMessage End(int start)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(start), (ushort)(length - start));
        return this;
    }

    private void Grow(int more)
    {
        if (length + more > bytes.Length)
        {
            Array.Resize(ref bytes, Math.Max(bytes.Length * 2, length + more));
        }
    }
}
