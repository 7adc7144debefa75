using System.Net;
using System.Net.Sockets;

namespace Vivarium.Linux.Netlink;

/// <summary>Routes and routing rules of the calling thread's network namespace. Source: rtnetlink(7), linux/fib_rules.h.</summary>
public static class Routes
{
    private const ushort RTM_NEWROUTE = 24;
    private const ushort RTM_GETROUTE = 26;
    private const ushort RTM_NEWRULE = 32;
    private const ushort RTM_DELRULE = 33;
    private const ushort RTA_DST = 1;
    private const ushort RTA_OIF = 4;
    private const ushort RTA_GATEWAY = 5;
    private const ushort RTA_TABLE = 15;
    private const ushort FRA_DST = 1;
    private const ushort FRA_SRC = 2;
    private const ushort FRA_PRIORITY = 6;
    private const ushort FRA_TABLE = 15;
    private const byte RT_TABLE_MAIN = 254;
    private const byte RTPROT_STATIC = 4;
    private const byte RT_SCOPE_LINK = 253;
    private const byte RTN_UNICAST = 1;
    private const byte FR_ACT_TO_TBL = 1;
    private const int StructLength = 12;

    /// <summary>A route to a range through an interface, by way of a gateway or straight to the link.</summary>
    public static void Add(string name, IPAddress to, int prefix, IPAddress? gateway)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        var message = new NetlinkMessage(RTM_NEWROUTE, NetlinkMessage.Ack | NetlinkMessage.Create | NetlinkMessage.Replace);
        var rtmsg = message.Struct(StructLength);
        rtmsg[0] = Addresses.Family(to);
        rtmsg[1] = (byte)prefix;
        rtmsg[4] = RT_TABLE_MAIN;
        rtmsg[5] = RTPROT_STATIC;
        rtmsg[6] = gateway is null ? RT_SCOPE_LINK : (byte)0;
        rtmsg[7] = RTN_UNICAST;
        if (prefix > 0)
        {
            message.Put(RTA_DST, to.GetAddressBytes());
        }

        if (gateway is not null)
        {
            message.Put(RTA_GATEWAY, gateway.GetAddressBytes());
        }

        message.Put(RTA_OIF, Links.Require(socket, name).Index);
        socket.Do(message, $"add the route to {to}/{prefix} over", name);
    }

    /// <summary>Every route of the main table: its range (null: default route) and its interface.</summary>
    public static IReadOnlyList<(AddressFamily Family, IPAddress? To, int Prefix, int Index)> List()
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        var message = new NetlinkMessage(RTM_GETROUTE, NetlinkMessage.Dump);
        message.Struct(StructLength);
        var found = new List<(AddressFamily, IPAddress?, int, int)>();
        foreach (var reply in socket.Ask(message, "list routes", null))
        {
            var head = reply.Payload.Span;
            if (reply.Type != RTM_NEWROUTE || head.Length < StructLength || head[7] != RTN_UNICAST || head[0] is not (Addresses.AF_INET or Addresses.AF_INET6))
            {
                continue;
            }

            var attributes = reply.Attributes(StructLength);
            if (attributes.TryGetValue(RTA_TABLE, out var table) && NetlinkReply.Int32(table) != RT_TABLE_MAIN)
            {
                continue;
            }

            found.Add((
                head[0] == Addresses.AF_INET ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6,
                attributes.TryGetValue(RTA_DST, out var to) && to.Length is 4 or 16 ? new IPAddress(to.Span) : null,
                head[1],
                attributes.TryGetValue(RTA_OIF, out var oif) ? NetlinkReply.Int32(oif) : 0));
        }

        return found;
    }

    /// <summary>Lets what comes from a range be routed by a table of its own, but for what goes to that range itself.</summary>
    /// <param name="range">First address of the range.</param>
    /// <param name="prefix">Its length.</param>
    /// <param name="table">The table.</param>
    /// <param name="priority">Priority of the rule; the exception has the one before it.</param>
    public static void AddRules(IPAddress range, int prefix, int table, int priority)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        foreach (var rule in Rules(RTM_NEWRULE, NetlinkMessage.Create | NetlinkMessage.Exclusive, range, prefix, table, priority))
        {
            socket.TryDo(rule, $"add a routing rule for {range}/{prefix}", null, Errno.EEXIST);
        }
    }

    /// <summary>Takes such rules away; nothing happens when they are not there.</summary>
    public static void DeleteRules(IPAddress range, int prefix, int table, int priority)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        foreach (var rule in Rules(RTM_DELRULE, 0, range, prefix, table, priority))
        {
            socket.TryDo(rule, $"remove the routing rule for {range}/{prefix}", null, Errno.ENOENT, Errno.ESRCH);
        }
    }

    private static NetlinkMessage[] Rules(ushort type, ushort flags, IPAddress range, int prefix, int table, int priority) =>
        [Rule(type, flags, range, prefix, to: true, RT_TABLE_MAIN, priority - 1), Rule(type, flags, range, prefix, to: false, table, priority)];

    private static NetlinkMessage Rule(ushort type, ushort flags, IPAddress range, int prefix, bool to, int table, int priority)
    {
        var message = new NetlinkMessage(type, (ushort)(flags | NetlinkMessage.Ack));
        var head = message.Struct(StructLength);
        head[0] = Addresses.Family(range);
        head[to ? 1 : 2] = (byte)prefix;
        head[7] = FR_ACT_TO_TBL;
        return message.Put(to ? FRA_DST : FRA_SRC, range.GetAddressBytes()).Put(FRA_TABLE, table).Put(FRA_PRIORITY, priority);
    }
}
