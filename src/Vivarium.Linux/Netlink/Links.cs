using System.Buffers.Binary;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Netlink;

/// <summary>
/// Network interfaces of the calling thread's network namespace: virtual pairs and bridges. Interfaces are named, not numbered, because names are what a ledger
/// can hold. Source: rtnetlink(7), linux/if_link.h.
/// </summary>
public static class Links
{
    /// <summary>Most characters of a name.</summary>
    public const int MaxName = 15;

    private const ushort RTM_NEWLINK = 16;
    private const ushort RTM_DELLINK = 17;
    private const ushort RTM_GETLINK = 18;
    private const ushort IFLA_ADDRESS = 1;
    private const ushort IFLA_IFNAME = 3;
    private const ushort IFLA_MTU = 4;
    private const ushort IFLA_MASTER = 10;
    private const ushort IFLA_LINKINFO = 18;
    private const ushort IFLA_NET_NS_FD = 28;
    private const ushort IFLA_INFO_KIND = 1;
    private const ushort IFLA_INFO_DATA = 2;
    private const ushort IFLA_INFO_SLAVE_KIND = 4;
    private const ushort IFLA_INFO_SLAVE_DATA = 5;
    private const ushort VETH_INFO_PEER = 1;
    private const ushort IFLA_BRPORT_LEARNING = 8;
    private const ushort IFLA_BRPORT_UNICAST_FLOOD = 9;
    private const ushort IFLA_BRPORT_ISOLATED = 33;
    private const int StructLength = 16;
    private const int IFF_UP = 1;

    /// <summary>Makes a pair: <paramref name="name"/> here, up, and <paramref name="peer"/>, still down, in the namespace a file stands for.</summary>
    /// <param name="name">Of this end.</param>
    /// <param name="bridge">Index of the bridge this end becomes a port of.</param>
    /// <param name="peer">Name of the other end.</param>
    /// <param name="peerMac">Its six bytes of address.</param>
    /// <param name="peerNamespace">File of the namespace it is put into, such as <c>/proc/PID/ns/net</c>.</param>
    /// <param name="mtu">Of both ends.</param>
    public static void CreateVeth(string name, int bridge, string peer, ReadOnlySpan<byte> peerMac, string peerNamespace, int mtu)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        var message = Message(RTM_NEWLINK, NetlinkMessage.Create | NetlinkMessage.Exclusive, 0, up: true);
        message.Put(IFLA_IFNAME, name).Put(IFLA_MTU, mtu).Put(IFLA_MASTER, bridge);
        var info = message.Begin(IFLA_LINKINFO);
        message.Put(IFLA_INFO_KIND, "veth");
        var data = message.Begin(IFLA_INFO_DATA);
        var end = message.Begin(VETH_INFO_PEER);
        Fill(message.Struct(StructLength), 0, up: false); // one end cannot be up before the other is there
        message.Put(IFLA_IFNAME, peer).Put(IFLA_ADDRESS, peerMac).Put(IFLA_MTU, mtu);
        using var file = Libc.Open(peerNamespace, Libc.O_RDONLY);
        message.Put(IFLA_NET_NS_FD, (int)file.DangerousGetHandle());
        message.End(end).End(data).End(info);
        socket.Do(message, "make interface", name);
    }

    /// <summary>
    /// Shuts a bridge port off from the other isolated ports, and lets it neither teach the bridge addresses nor get frames for unknown ones.
    /// </summary>
    public static void IsolatePort(string name)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        var message = Message(RTM_NEWLINK, 0, Require(socket, name).Index, up: true);
        var info = message.Begin(IFLA_LINKINFO);
        message.Put(IFLA_INFO_SLAVE_KIND, "bridge");
        var data = message.Begin(IFLA_INFO_SLAVE_DATA);
        message.Put(IFLA_BRPORT_ISOLATED, (byte)1).Put(IFLA_BRPORT_LEARNING, (byte)0).Put(IFLA_BRPORT_UNICAST_FLOOD, (byte)0);
        message.End(data).End(info);
        socket.Do(message, "isolate bridge port", name);
    }

    /// <summary>Makes a bridge that is up, or takes the one there is; its address is fixed, so that it does not change with its ports. Returns whether it was made.</summary>
    public static bool EnsureBridge(string name, ReadOnlySpan<byte> mac, int mtu)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        if (Find(socket, name) is { } there)
        {
            if (there.Kind != "bridge")
            {
                throw new LinuxException("use as a bridge the interface", name, Errno.EEXIST);
            }

            socket.Do(Message(RTM_NEWLINK, 0, there.Index, up: true), "set up bridge", name);
            return false;
        }

        var message = Message(RTM_NEWLINK, NetlinkMessage.Create | NetlinkMessage.Exclusive, 0, up: true);
        message.Put(IFLA_IFNAME, name).Put(IFLA_ADDRESS, mac).Put(IFLA_MTU, mtu);
        var info = message.Begin(IFLA_LINKINFO);
        message.Put(IFLA_INFO_KIND, "bridge").End(info);
        socket.Do(message, "make bridge", name);
        return true;
    }

    /// <summary>Sets an interface up.</summary>
    public static void SetUp(string name)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        socket.Do(Message(RTM_NEWLINK, 0, Require(socket, name).Index, up: true), "set up interface", name);
    }

    /// <summary>Removes an interface, with its other end when it is a pair; false when there was none of that name.</summary>
    public static bool Delete(string name)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        return socket.TryDo(Message(RTM_DELLINK, 0, 0, up: null).Put(IFLA_IFNAME, name), "remove interface", name, Errno.ENODEV);
    }

    /// <summary>An interface; null when there is none of that name.</summary>
    public static LinkInfo? Find(string name)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        return Find(socket, name);
    }

    /// <summary>All interfaces.</summary>
    public static IReadOnlyList<LinkInfo> List()
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        return [.. socket.Ask(Message(RTM_GETLINK, NetlinkMessage.Dump, 0, up: null), "list interfaces", null).Where(static r => r.Type == RTM_NEWLINK).Select(Read)];
    }

    internal static LinkInfo Require(NetlinkSocket socket, string name) => Find(socket, name) ?? throw new LinuxException("find interface", name, Errno.ENODEV);

    private static LinkInfo? Find(NetlinkSocket socket, string name)
    {
        try
        {
            var replies = socket.Ask(Message(RTM_GETLINK, NetlinkMessage.Ack, 0, up: null).Put(IFLA_IFNAME, name), "find interface", name);
            return replies.Count == 0 ? null : Read(replies[0]);
        }
        catch (LinuxException e) when (e.Errno == Errno.ENODEV)
        {
            return null;
        }
    }

    private static LinkInfo Read(NetlinkReply reply)
    {
        var attributes = reply.Attributes(StructLength);
        var kind = attributes.TryGetValue(IFLA_LINKINFO, out var info) && NetlinkReply.Parse(info).TryGetValue(IFLA_INFO_KIND, out var word) ? NetlinkReply.Text(word) : "";
        return new LinkInfo(
            attributes.TryGetValue(IFLA_IFNAME, out var name) ? NetlinkReply.Text(name) : "",
            reply.Int(4),
            attributes.TryGetValue(IFLA_MASTER, out var master) ? NetlinkReply.Int32(master) : 0,
            attributes.TryGetValue(IFLA_MTU, out var mtu) ? NetlinkReply.Int32(mtu) : 0,
            kind);
    }

    private static NetlinkMessage Message(ushort type, ushort flags, int index, bool? up)
    {
        var message = new NetlinkMessage(type, (ushort)(flags | (flags == NetlinkMessage.Dump ? 0 : NetlinkMessage.Ack)));
        Fill(message.Struct(StructLength), index, up == true);
        return message;
    }

    private static void Fill(Span<byte> ifinfomsg, int index, bool up)
    {
        BinaryPrimitives.WriteInt32LittleEndian(ifinfomsg[4..], index);
        BinaryPrimitives.WriteInt32LittleEndian(ifinfomsg[8..], up ? IFF_UP : 0);
        BinaryPrimitives.WriteInt32LittleEndian(ifinfomsg[12..], up ? IFF_UP : 0);
    }
}

/// <summary>An interface.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Index">Its number in its namespace.</param>
/// <param name="Master">Index of the bridge it is a port of, 0 when none.</param>
/// <param name="Mtu">Most bytes of a packet.</param>
/// <param name="Kind"><c>bridge</c>, <c>veth</c>, …; empty for hardware.</param>
public readonly record struct LinkInfo(string Name, int Index, int Master, int Mtu, string Kind);
