using Vivarium.Linux.Files;
using Vivarium.Linux.Netlink;
using Vivarium.Network.Addressing;
using Vivarium.Wire.Errors;

namespace Vivarium.Network;

/// <summary>
/// What the network needs of the host besides the firewall: the bridge with the gateway's addresses, forwarding on the interfaces concerned and on no others, the routing
/// rule. All of it is idempotent.
/// </summary>
internal sealed class HostInterfaces(NetworkOptions options)
{
    private const int BridgeMtu = 1500;
    private const int LeastMtu = 1280;

    // Before the main table (32766) and after whatever an administrator put first.
    private const int RulePriority = 30_000;

    private readonly SandboxAddress gateway = new AddressPool(options.Pool4, options.Pool6).Gateway;

    /// <summary>Largest packet of a sandbox: that of the way out, so that nothing has to be cut.</summary>
    public int Mtu { get; private set; } = BridgeMtu;

    /// <summary>Whether IPv6 packets of sandboxes can leave.</summary>
    public bool ForwardsV6 { get; private set; }

    /// <summary>Another interface or route that has addresses of our pool; null when there is none.</summary>
    public string? Conflict()
    {
        var links = Links.List();
        var own = links.FirstOrDefault(l => l.Name == options.Bridge).Index;
        foreach (var (index, address, _) in Addresses.List())
        {
            if (index != own && (options.Pool4.Contains(address) || options.Pool6?.Contains(address) == true))
            {
                return $"interface {Name(links, index)} has the address {address}";
            }
        }

        foreach (var (_, to, prefix, index) in Routes.List())
        {
            if (index != own && to is not null && prefix > 0 && IpRange.TryParse($"{to}/{prefix}", out var range) && (range.Value.Overlaps(options.Pool4) || (options.Pool6 is { } six && range.Value.Overlaps(six))))
            {
                return $"the route to {range} over {Name(links, index)}";
            }
        }

        return null;
    }

    /// <summary>Makes what is missing.</summary>
    /// <exception cref="VivariumException">failed_precondition <c>pool_conflict</c>, <c>no_uplink</c>; unavailable <c>network_failed</c>.</exception>
    public void Prepare()
    {
        if (Conflict() is { } conflict)
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"setting up the network: the pool {options.Pool4}{(options.Pool6 is null ? "" : $" and {options.Pool6}")} is in use here: {conflict}",
                "Give network.pool4 (and pool6) a range nothing else on this machine uses.",
                "pool_conflict");
        }

        try
        {
            PrepareBridge();
            var uplinks = Uplinks();
            Mtu = Math.Clamp(uplinks.Select(static l => l.Mtu).Append(BridgeMtu).Min(), LeastMtu, BridgeMtu);
            foreach (var name in uplinks.Select(static l => l.Name).Append(options.Bridge))
            {
                Set($"/proc/sys/net/ipv4/conf/{name}/forwarding", "1");
            }

            ForwardsV6 = options.Pool6 is not null && Forward6([.. uplinks.Select(static l => l.Name), options.Bridge]);
            if (options.RouteTable > 0)
            {
                Routes.AddRules(options.Pool4.First, options.Pool4.Prefix, options.RouteTable, RulePriority);
                if (options.Pool6 is { } six)
                {
                    Routes.AddRules(six.First, six.Prefix, options.RouteTable, RulePriority);
                }
            }
        }
        catch (IOException e)
        {
            throw new VivariumException(ErrorCode.Unavailable, $"setting up the network: {e.Message}", "viv doctor shows what is missing; --net none works without a network.", "network_failed", e);
        }
    }

    /// <summary>Removes bridge and routing rule; forwarding on the uplink stays as it is, because others may have come to need it.</summary>
    public void Remove()
    {
        Links.Delete(options.Bridge);
        if (options.RouteTable > 0)
        {
            Routes.DeleteRules(options.Pool4.First, options.Pool4.Prefix, options.RouteTable, RulePriority);
            if (options.Pool6 is { } six)
            {
                Routes.DeleteRules(six.First, six.Prefix, options.RouteTable, RulePriority);
            }
        }
    }

    /// <summary>Fixes the hardware addresses of a sandbox on the bridge, so that no message of another changes them.</summary>
    public void Fix(SandboxAddress address)
    {
        Neighbors.Fix(options.Bridge, address.V4, address.Mac);
        if (address.V6 is { } six)
        {
            Neighbors.Fix(options.Bridge, six, address.Mac);
        }
    }

    /// <summary>Forgets them.</summary>
    public void Forget(SandboxAddress address)
    {
        Neighbors.Forget(options.Bridge, address.V4);
        if (address.V6 is { } six)
        {
            Neighbors.Forget(options.Bridge, six);
        }
    }

    /// <summary>Removes ports and fixed addresses that belong to none of these sandboxes.</summary>
    public void Sweep(IReadOnlyCollection<SandboxNetwork> sandboxes)
    {
        var ports = sandboxes.Select(s => options.PortOf(s.Id)).ToHashSet(StringComparer.Ordinal);
        foreach (var link in Links.List().Where(l => l.Name.StartsWith(options.PortPrefix, StringComparison.Ordinal) && !ports.Contains(l.Name)))
        {
            Links.Delete(link.Name);
        }

        var addresses = sandboxes.SelectMany(static s => s.Address.V6 is { } six ? [s.Address.V4, six] : new[] { s.Address.V4 }).ToHashSet();
        foreach (var address in Neighbors.Fixed(options.Bridge).Where(a => !addresses.Contains(a) && (options.Pool4.Contains(a) || options.Pool6?.Contains(a) == true)))
        {
            Neighbors.Forget(options.Bridge, address);
        }
    }

    private static string Name(IReadOnlyList<LinkInfo> links, int index) => links.FirstOrDefault(l => l.Index == index).Name ?? $"number {index}";

    private static void Set(string path, string value)
    {
        if (PseudoFile.TryRead(path) is { } now && now != value)
        {
            PseudoFile.Write(path, value);
        }
    }

    private void PrepareBridge()
    {
        var name = options.Bridge;
        Links.EnsureBridge(name, gateway.Mac, BridgeMtu);
        foreach (var (setting, value) in new[] { ("ipv6/conf/{0}/accept_ra", "0"), ("ipv6/conf/{0}/accept_dad", "0"), ("ipv4/conf/{0}/send_redirects", "0"), ("ipv4/conf/{0}/arp_ignore", "1"), ("ipv4/conf/{0}/rp_filter", "1") })
        {
            Set("/proc/sys/net/" + setting.Replace("{0}", name, StringComparison.Ordinal), value);
        }

        Addresses.Add(name, gateway.V4, options.Pool4.Prefix);
        if (gateway.V6 is { } six)
        {
            Addresses.Add(name, six, options.Pool6!.Value.Prefix);
        }
    }

    private List<LinkInfo> Uplinks()
    {
        var links = Links.List();
        if (options.Uplink.Length > 0)
        {
            var named = links.Where(l => l.Name == options.Uplink).ToList();
            return named.Count > 0 ? named : throw new VivariumException(
                ErrorCode.FailedPrecondition, $"setting up the network: there is no interface {options.Uplink}", "network.uplink names the interface sandboxes' packets leave by; ip link lists them.", "no_uplink");
        }

        var ways = Routes.List().Where(static r => r.Prefix == 0).Select(static r => r.Index).ToHashSet();
        return [.. links.Where(l => ways.Contains(l.Index) && l.Name != options.Bridge)];
    }

    /// <summary>Forwarding of IPv6 for these interfaces only, where the kernel can (6.17); never for all: that would make the host deaf to its own router.</summary>
    private static bool Forward6(IReadOnlyList<string> names)
    {
        if (PseudoFile.TryRead("/proc/sys/net/ipv6/conf/all/forwarding") == "1")
        {
            return true;
        }

        var paths = names.Select(static n => $"/proc/sys/net/ipv6/conf/{n}/force_forwarding").Where(File.Exists).ToList();
        foreach (var path in paths)
        {
            Set(path, "1");
        }

        return paths.Count == names.Count && names.Count > 1;
    }
}
