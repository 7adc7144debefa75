using System.Globalization;
using System.Net;
using Vivarium.Linux.Files;
using Vivarium.Linux.Namespaces;
using Vivarium.Linux.Netlink;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Network;

/// <summary>
/// Makes a sandbox's <c>eth0</c>: a pair whose other end is an isolated port of the host's bridge. The sandbox's address has the longest prefix, so everything it sends goes
/// by way of the host, which looks at every packet; there is no neighbour it could speak to past the host.
/// </summary>
internal static class SandboxInterface
{
    private const string Inside = "eth0";

    /// <summary>Refuses a network that cannot be made, by name.</summary>
    public static void Check(NetworkSpec network)
    {
        if (network.Mode == "none" && network.Attachment is null)
        {
            return;
        }

        if (network is not { Mode: "nat", Attachment: { } attachment })
        {
            throw Invalid($"network mode '{network.Mode}' {(network.Mode == "nat" ? "has no interface to make" : "is not known")}");
        }

        if (attachment.Port.Length is 0 or > Links.MaxName || attachment.Port.Any(static c => !char.IsAsciiLetterOrDigit(c) && c != '-') || MacOf(attachment).Length != 6
            || !IPAddress.TryParse(attachment.Ipv4, out _) || !IPAddress.TryParse(attachment.Gateway4, out _)
            || (attachment.Ipv6 is not null && !(IPAddress.TryParse(attachment.Ipv6, out _) && IPAddress.TryParse(attachment.Gateway6, out _)))
            || attachment.Mtu is < 576 or > 65535)
        {
            throw Invalid("the interface to make is malformed");
        }
    }

    /// <summary>Makes the interface in the namespace a file stands for. What an earlier start left under the port's name is removed first.</summary>
    public static void Attach(NetworkAttachment wanted, string namespacePath)
    {
        if (Links.Find(wanted.Bridge) is not { Kind: "bridge" } bridge)
        {
            throw new VivariumException(
                ErrorCode.Unavailable, $"cannot start the sandbox: the bridge {wanted.Bridge} is gone", "Restart the daemon, which makes it anew.", "no_bridge");
        }

        var mac = MacOf(wanted);
        Links.Delete(wanted.Port);
        Links.CreateVeth(wanted.Port, bridge.Index, Inside, mac, namespacePath, wanted.Mtu);
        Links.IsolatePort(wanted.Port);
        Neighbors.FixPort(wanted.Port, mac);
        Set($"/proc/sys/net/ipv6/conf/{wanted.Port}/disable_ipv6", "1"); // the host itself has no business on a port
        NamespaceThread.In(namespacePath, NamespaceKinds.Network, () =>
        {
            Configure(wanted);
            return true;
        });
    }

    private static void Configure(NetworkAttachment wanted)
    {
        if (Links.Find("lo") is not null)
        {
            Links.SetUp("lo");
        }

        foreach (var setting in (string[])["ipv6/conf/eth0/accept_ra", "ipv6/conf/eth0/accept_redirects", "ipv6/conf/eth0/accept_dad", "ipv4/conf/eth0/accept_redirects"])
        {
            Set("/proc/sys/net/" + setting, "0");
        }

        Links.SetUp(Inside);
        Route(IPAddress.Parse(wanted.Ipv4), IPAddress.Parse(wanted.Gateway4), IPAddress.Any);
        if (wanted.Ipv6 is null)
        {
            Set("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1");
            return;
        }

        Route(IPAddress.Parse(wanted.Ipv6), IPAddress.Parse(wanted.Gateway6!), IPAddress.IPv6Any);
    }

    private static void Route(IPAddress own, IPAddress gateway, IPAddress everywhere)
    {
        var longest = own.GetAddressBytes().Length * 8;
        Addresses.Add(Inside, own, longest);
        Routes.Add(Inside, gateway, longest, null);
        Routes.Add(Inside, everywhere, 0, gateway);
    }

    private static byte[] MacOf(NetworkAttachment wanted)
    {
        var parts = wanted.Mac.Split(':');
        return parts.Length == 6 && parts.All(static p => p.Length == 2 && byte.TryParse(p, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out _))
            ? [.. parts.Select(static p => byte.Parse(p, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture))]
            : [];
    }

    private static void Set(string path, string value)
    {
        // A kernel without IPv6 lacks the file, and then there is nothing to set.
        if (File.Exists(path))
        {
            PseudoFile.Write(path, value);
        }
    }

    private static VivariumException Invalid(string what) => new(ErrorCode.InvalidArgument, $"cannot start the sandbox: {what}");
}
