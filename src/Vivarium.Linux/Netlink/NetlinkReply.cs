using System.Buffers.Binary;
using System.Text;

namespace Vivarium.Linux.Netlink;

/// <summary>One message the kernel answered with. Source: netlink(7).</summary>
/// <param name="Type">Message type.</param>
/// <param name="Payload">What follows the header: the family's structure, then attributes.</param>
internal readonly record struct NetlinkReply(ushort Type, ReadOnlyMemory<byte> Payload)
{
    private const ushort TypeMask = 0x3fff;

    public int Int(int offset) => Payload.Length >= offset + 4 ? BinaryPrimitives.ReadInt32LittleEndian(Payload.Span[offset..]) : 0;

    /// <summary>The attributes after a structure of so many bytes; a damaged rest is left out.</summary>
    public Dictionary<int, ReadOnlyMemory<byte>> Attributes(int afterStruct) => Parse(Payload[Math.Min(Payload.Length, (afterStruct + 3) & ~3)..]);

    public static Dictionary<int, ReadOnlyMemory<byte>> Parse(ReadOnlyMemory<byte> rest)
    {
        var found = new Dictionary<int, ReadOnlyMemory<byte>>();
        while (rest.Length >= 4)
        {
            var size = BinaryPrimitives.ReadUInt16LittleEndian(rest.Span);
            if (size < 4 || size > rest.Length)
            {
                break;
            }

            found[BinaryPrimitives.ReadUInt16LittleEndian(rest.Span[2..]) & TypeMask] = rest[4..size];
            rest = rest[Math.Min(rest.Length, (size + 3) & ~3)..];
        }

        return found;
    }

    public static string Text(ReadOnlyMemory<byte> value) => Encoding.ASCII.GetString(value.Span).TrimEnd('\0');

    public static int Int32(ReadOnlyMemory<byte> value) => value.Length >= 4 ? BinaryPrimitives.ReadInt32LittleEndian(value.Span) : 0;
}
