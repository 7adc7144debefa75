using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Vivarium.Linux.Netlink;

/// <summary>Addresses of interfaces in the calling thread's network namespace. Source: rtnetlink(7).</summary>
public static class Addresses
{
    internal const byte AF_INET = 2;
    internal const byte AF_INET6 = 10;

    private const ushort RTM_NEWADDR = 20;
    private const ushort RTM_GETADDR = 22;
    private const ushort IFA_ADDRESS = 1;
    private const ushort IFA_LOCAL = 2;
    private const byte IFA_F_NODAD = 2;
    private const int StructLength = 8;

    /// <summary>Gives an interface an address, usable at once; nothing happens when it has it.</summary>
    public static void Add(string name, IPAddress address, int prefix)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        var message = new NetlinkMessage(RTM_NEWADDR, NetlinkMessage.Ack | NetlinkMessage.Create | NetlinkMessage.Replace);
        var ifaddrmsg = message.Struct(StructLength);
        ifaddrmsg[0] = Family(address);
        ifaddrmsg[1] = (byte)prefix;
        ifaddrmsg[2] = IFA_F_NODAD;
        BinaryPrimitives.WriteInt32LittleEndian(ifaddrmsg[4..], Links.Require(socket, name).Index);
        var bytes = address.GetAddressBytes();
        message.Put(IFA_LOCAL, bytes).Put(IFA_ADDRESS, bytes);
        socket.Do(message, $"add address {address} to", name);
    }

    /// <summary>Every address of every interface.</summary>
    public static IReadOnlyList<(int Index, IPAddress Address, int Prefix)> List()
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Route);
        var message = new NetlinkMessage(RTM_GETADDR, NetlinkMessage.Dump);
        message.Struct(StructLength);
        var found = new List<(int, IPAddress, int)>();
        foreach (var reply in socket.Ask(message, "list addresses", null))
        {
            var attributes = reply.Attributes(StructLength);
            if (reply.Type == RTM_NEWADDR && (attributes.TryGetValue(IFA_LOCAL, out var bytes) || attributes.TryGetValue(IFA_ADDRESS, out bytes)) && bytes.Length is 4 or 16)
            {
                found.Add((reply.Int(4), new IPAddress(bytes.Span), reply.Payload.Span[1]));
            }
        }

        return found;
    }

    internal static byte Family(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? AF_INET6 : AF_INET;
}
