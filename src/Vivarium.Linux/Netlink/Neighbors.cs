using System.Buffers.Binary;
using System.Net;

namespace Vivarium.Linux.Netlink;

/// <summary>Which hardware address an IP address has, fixed by us so that no message on the wire changes it. Source: rtnetlink(7), linux/neighbour.h.</summary>
public static class Neighbors
{
    private const ushort RTM_NEWNEIGH = 28;
    private const ushort RTM_DELNEIGH = 29;
    private const ushort RTM_GETNEIGH = 30;
    private const ushort NDA_DST = 1;
    private const ushort NDA_LLADDR = 2;
    private const ushort NUD_NOARP = 0x40;
    private const ushort NUD_PERMANENT = 0x80;
    private const byte NTF_MASTER = 4;
    private const byte AF_BRIDGE = 7;
    private const int StructLength = 12;

    /// <summary>Fixes the hardware address of an IP address on an interface.</summary>
    public static void Fix(string name, IPAddress address, ReadOnlySpan<byte> mac)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        var message = Message(RTM_NEWNEIGH, NetlinkMessage.Create | NetlinkMessage.Replace, Addresses.Family(address), Links.Require(socket, name).Index, NUD_PERMANENT, 0);
        socket.Do(message.Put(NDA_DST, address.GetAddressBytes()).Put(NDA_LLADDR, mac), $"fix the hardware address of {address} on", name);
    }

    /// <summary>Forgets it; nothing happens when it is not there.</summary>
    public static void Forget(string name, IPAddress address)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        if (Links.Find(name) is { } link)
        {
            var message = Message(RTM_DELNEIGH, 0, Addresses.Family(address), link.Index, 0, 0).Put(NDA_DST, address.GetAddressBytes());
            socket.TryDo(message, $"forget the hardware address of {address} on", name, Errno.ENOENT, Errno.ENODEV, Errno.EINVAL);
        }
    }

    /// <summary>Tells a bridge that a hardware address is behind this port, for good.</summary>
    public static void FixPort(string name, ReadOnlySpan<byte> mac)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        var message = Message(RTM_NEWNEIGH, NetlinkMessage.Create | NetlinkMessage.Replace, AF_BRIDGE, Links.Require(socket, name).Index, NUD_NOARP, NTF_MASTER);
        socket.Do(message.Put(NDA_LLADDR, mac), "fix a hardware address at bridge port", name);
    }

    /// <summary>The addresses fixed on an interface.</summary>
    public static IReadOnlyList<IPAddress> Fixed(string name)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        if (Links.Find(name) is not { } link)
        {
            return [];
        }

        var found = new List<IPAddress>();
        foreach (var reply in socket.Ask(Message(RTM_GETNEIGH, NetlinkMessage.Dump, 0, 0, 0, 0), "list neighbours on", name))
        {
            if (reply.Payload.Length >= StructLength && reply.Int(4) == link.Index && (BinaryPrimitives.ReadUInt16LittleEndian(reply.Payload.Span[8..]) & NUD_PERMANENT) != 0
                && reply.Attributes(StructLength).TryGetValue(NDA_DST, out var bytes) && bytes.Length is 4 or 16)
            {
                found.Add(new IPAddress(bytes.Span));
            }
        }

        return found;
    }

    private static NetlinkMessage Message(ushort type, ushort flags, byte family, int index, ushort state, byte how)
    {
        var message = new NetlinkMessage(type, (ushort)(flags | (flags == NetlinkMessage.Dump ? 0 : NetlinkMessage.Ack)));
        var ndmsg = message.Struct(StructLength);
        ndmsg[0] = family;
        BinaryPrimitives.WriteInt32LittleEndian(ndmsg[4..], index);
        BinaryPrimitives.WriteUInt16LittleEndian(ndmsg[8..], state);
        ndmsg[10] = how;
        return message;
    }
}
