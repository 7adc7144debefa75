using System.Buffers.Binary;
using System.Net;

namespace Vivarium.Linux.Netlink;

/// <summary>The kernel's table of connections (conntrack) of the calling thread's network namespace. Source: linux/netfilter/nfnetlink_conntrack.h.</summary>
public static class Connections
{
    private const ushort Subsystem = 1 << 8; // NFNL_SUBSYS_CTNETLINK
    private const ushort New = Subsystem;
    private const ushort Get = Subsystem | 1;
    private const ushort DeleteOne = Subsystem | 2;
    private const ushort CTA_TUPLE_ORIG = 1;
    private const ushort CTA_TUPLE_IP = 1;
    private const ushort CTA_TUPLE_PROTO = 2;
    private const ushort CTA_IP_V4_SRC = 1;
    private const ushort CTA_IP_V4_DST = 2;
    private const ushort CTA_IP_V6_SRC = 3;
    private const ushort CTA_IP_V6_DST = 4;
    private const ushort CTA_PROTO_NUM = 1;
    private const ushort CTA_PROTO_DST_PORT = 3;
    private const ushort Nested = 0x8000;
    private const int StructLength = 4;

    /// <summary>Forgets the connections that <paramref name="which"/> picks, so that answers to them are no longer let in; returns how many.</summary>
    public static int Delete(Func<Connection, bool> which)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Netfilter);
        var count = 0;
        foreach (var family in (ReadOnlySpan<byte>)[Addresses.AF_INET, Addresses.AF_INET6])
        {
            foreach (var reply in socket.Ask(Message(Get, NetlinkMessage.Dump, family), "list connections", null))
            {
                if (reply.Type == New && reply.Attributes(StructLength).TryGetValue(CTA_TUPLE_ORIG, out var tuple) && Read(tuple) is { } connection && which(connection))
                {
                    // One that ended meanwhile is fine.
                    var delete = Message(DeleteOne, NetlinkMessage.Ack, family).Put(CTA_TUPLE_ORIG | Nested, tuple.Span);
                    count += socket.TryDo(delete, "forget a connection of", connection.From.ToString(), Errno.ENOENT) ? 1 : 0;
                }
            }
        }

        return count;
    }

    internal static Connection? Read(ReadOnlyMemory<byte> tuple)
    {
        var parts = NetlinkReply.Parse(tuple);
        if (!parts.TryGetValue(CTA_TUPLE_IP, out var ip) || !parts.TryGetValue(CTA_TUPLE_PROTO, out var proto))
        {
            return null;
        }

        var addresses = NetlinkReply.Parse(ip);
        var numbers = NetlinkReply.Parse(proto);
        var from = addresses.GetValueOrDefault(CTA_IP_V4_SRC, addresses.GetValueOrDefault(CTA_IP_V6_SRC));
        var to = addresses.GetValueOrDefault(CTA_IP_V4_DST, addresses.GetValueOrDefault(CTA_IP_V6_DST));
        if (from.Length is not (4 or 16) || to.Length is not (4 or 16) || !numbers.TryGetValue(CTA_PROTO_NUM, out var number) || number.Length < 1)
        {
            return null;
        }

        int? port = numbers.TryGetValue(CTA_PROTO_DST_PORT, out var bytes) && bytes.Length == 2 ? BinaryPrimitives.ReadUInt16BigEndian(bytes.Span) : null;
        return new Connection(new IPAddress(from.Span), new IPAddress(to.Span), number.Span[0], port);
    }

    private static NetlinkMessage Message(ushort type, ushort flags, byte family)
    {
        var message = new NetlinkMessage(type, flags);
        message.Struct(StructLength)[0] = family;
        return message;
    }
}

/// <summary>Who opened a connection to whom.</summary>
/// <param name="From">Origin.</param>
/// <param name="To">Destination as the origin named it.</param>
/// <param name="Protocol">IP protocol number: 6 TCP, 17 UDP, 1 ICMP.</param>
/// <param name="Port">Destination port; null where the protocol has none.</param>
public readonly record struct Connection(IPAddress From, IPAddress To, byte Protocol, int? Port);
