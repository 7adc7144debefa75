using System.Globalization;
using System.Net;

namespace Vivarium.Guest.Listeners;

/// <summary>One socket that waits, as a line of <c>/proc/net/{tcp,udp}[6]</c> names it.</summary>
/// <param name="Protocol"><c>tcp</c> or <c>udp</c>.</param>
/// <param name="EndPoint">Where it waits.</param>
/// <param name="Uid">User that made it.</param>
/// <param name="Inode">Number its descriptors carry; 0 when the kernel names none.</param>
internal sealed record SocketRow(string Protocol, IPEndPoint EndPoint, uint Uid, ulong Inode)
{
    private const int TcpListen = 0x0A;
    private const int UdpUnconnected = 0x07;

    /// <summary>
    /// Reads a line; null for the heading, for sockets in other states, and for what is malformed. Source: proc(5); addresses are the 32-bit words of the
    /// network form, each printed in the byte order of the machine.
    /// </summary>
    public static SocketRow? Parse(string protocol, string line)
    {
        var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var wanted = protocol == "tcp" ? TcpListen : UdpUnconnected;
        return fields.Length >= 10
            && int.TryParse(fields[3], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var state) && state == wanted
            && ParseEndPoint(fields[1]) is { } local && ParseEndPoint(fields[2]) is { Port: 0 }
            && uint.TryParse(fields[7], NumberStyles.None, CultureInfo.InvariantCulture, out var uid)
            && ulong.TryParse(fields[9], NumberStyles.None, CultureInfo.InvariantCulture, out var inode)
            && local.Port != 0
            ? new SocketRow(protocol, local, uid, inode)
            : null;
    }

    private static IPEndPoint? ParseEndPoint(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon is not (8 or 32) || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var port))
        {
            return null;
        }

        var bytes = new byte[colon / 2];
        for (var word = 0; word < bytes.Length; word += 4)
        {
            if (!uint.TryParse(text.AsSpan(word * 2, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var value)
                || !BitConverter.TryWriteBytes(bytes.AsSpan(word), value))
            {
                return null;
            }
        }

        return new IPEndPoint(new IPAddress(bytes), port);
    }
}
