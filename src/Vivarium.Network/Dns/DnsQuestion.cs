using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Vivarium.Network.Dns;

/// <summary>What of a DNS message the forwarder has to understand: its header and its one question. Everything else is passed on unread. Source: RFC 1035, 4.1.</summary>
/// <param name="Id">Number that ties answer to question.</param>
/// <param name="Name">Name asked for, lower case, no dot at the end.</param>
/// <param name="Type">1 A, 28 AAAA, …</param>
/// <param name="Class">1 is the internet.</param>
/// <param name="Length">Bytes of header and question.</param>
internal readonly record struct DnsQuestion(ushort Id, string Name, ushort Type, ushort Class, int Length)
{
    public const ushort A = 1;
    public const ushort Aaaa = 28;
    public const ushort Any = 255;
    public const int HeaderLength = 12;
    public const byte NoError = 0;
    public const byte ServerFailure = 2;
    public const byte NameError = 3;
    public const byte Refused = 5;

    private const int MaxName = 255;

    /// <summary>Reads a question from hostile bytes; null when it is none that is answered: an answer, another opcode, not exactly one question, a malformed name.</summary>
    public static DnsQuestion? Parse(ReadOnlySpan<byte> message)
    {
        if (message.Length < HeaderLength + 5 || (message[2] & 0xf8) != 0 || BinaryPrimitives.ReadUInt16BigEndian(message[4..]) != 1)
        {
            return null;
        }

        return Read(message);
    }

    /// <summary>Whether bytes from a name server answer this question under this number.</summary>
    public bool IsAnsweredBy(ReadOnlySpan<byte> message, ushort id) =>
        message.Length >= HeaderLength && (message[2] & 0x80) != 0 && BinaryPrimitives.ReadUInt16BigEndian(message) == id
        && BinaryPrimitives.ReadUInt16BigEndian(message[4..]) == 1
        && Read(message) is { } theirs && theirs.Name == Name && theirs.Type == Type && theirs.Class == Class;

    /// <summary>An answer of our own: no record, or the addresses.</summary>
    public byte[] Answer(ReadOnlySpan<byte> query, byte code, IReadOnlyList<IPAddress> addresses, int ttlSeconds)
    {
        var answer = new byte[Length + addresses.Sum(static a => 12 + (a.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? 16 : 4))];
        query[..Length].CopyTo(answer);
        answer[2] = (byte)(0x80 | (query[2] & 0x01)); // an answer; recursion wanted as it was
        answer[3] = (byte)(0x80 | code); // recursion available
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(6), (ushort)addresses.Count);
        answer.AsSpan(8, 4).Clear();
        var at = Length;
        foreach (var address in addresses)
        {
            var bytes = address.GetAddressBytes();
            BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(at), 0xc000 | HeaderLength); // the name of the question
            BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(at + 2), bytes.Length == 4 ? A : Aaaa);
            BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(at + 4), 1);
            BinaryPrimitives.WriteInt32BigEndian(answer.AsSpan(at + 6), ttlSeconds);
            BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(at + 10), (ushort)bytes.Length);
            bytes.CopyTo(answer, at + 12);
            at += 12 + bytes.Length;
        }

        return answer;
    }

    private static DnsQuestion? Read(ReadOnlySpan<byte> message)
    {
        var name = new StringBuilder();
        var at = HeaderLength;
        while (true)
        {
            if (at >= message.Length)
            {
                return null;
            }

            int label = message[at++];
            if (label == 0)
            {
                break;
            }

            // A question needs no pointer, and a label is at most 63 bytes.
            if (label > 63 || at + label > message.Length || name.Length + label + 1 > MaxName)
            {
                return null;
            }

            if (name.Length > 0)
            {
                name.Append('.');
            }

            foreach (var b in message.Slice(at, label))
            {
                name.Append(b is >= (byte)'A' and <= (byte)'Z' ? (char)(b + 32) : (char)b);
            }

            at += label;
        }

        return at + 4 > message.Length ? null : new DnsQuestion(
            BinaryPrimitives.ReadUInt16BigEndian(message), name.ToString(), BinaryPrimitives.ReadUInt16BigEndian(message[at..]), BinaryPrimitives.ReadUInt16BigEndian(message[(at + 2)..]), at + 4);
    }
}
