using System.Net;
using Vivarium.Wire.Errors;

namespace Vivarium.Network.Addressing;

/// <summary>
/// Hands out addresses of the configured ranges. The first address is the gateway's; each next request gets the next free one after the last handed out, so that a freed
/// address rests as long as possible.
/// </summary>
public sealed class AddressPool
{
    private const int MostAddresses = 65_000;

    private readonly Lock gate = new();
    private readonly Dictionary<string, SandboxAddress> held = new(StringComparer.Ordinal);
    private readonly HashSet<IPAddress> taken = [];
    private readonly IpRange v4;
    private readonly IpRange? v6;
    private int last;

    /// <summary>A pool of an IPv4 range of at least four addresses, and an IPv6 one of at least as many when there is one.</summary>
    public AddressPool(IpRange v4, IpRange? v6)
    {
        this.v4 = v4;
        this.v6 = v6;

        // Without network, gateway and broadcast address.
        Size = (int)Math.Min((1L << (32 - v4.Prefix)) - 3, MostAddresses);
    }

    /// <summary>How many sandboxes can have an address.</summary>
    public int Size { get; }

    /// <summary>How many have one.</summary>
    public int Held
    {
        get
        {
            lock (gate)
            {
                return held.Count;
            }
        }
    }

    /// <summary>The host's own addresses on the bridge.</summary>
    public SandboxAddress Gateway => new(v4.At(1), v6?.At(1));

    /// <summary>Whether an address is of this pool.</summary>
    public bool Contains(SandboxAddress address) => v4.Contains(address.V4) && (address.V6 is null ? v6 is null : v6?.Contains(address.V6) == true);

    /// <summary>Gives a sandbox an address, the one it has when it has one.</summary>
    /// <exception cref="VivariumException">resource_exhausted <c>addresses_exhausted</c>.</exception>
    public SandboxAddress Take(string sandbox)
    {
        lock (gate)
        {
            if (held.TryGetValue(sandbox, out var has))
            {
                return has;
            }

            for (var tried = 0; tried < Size; tried++)
            {
                last = (last + 1) % Size;
                var address = new SandboxAddress(v4.At(last + 2), v6?.At(last + 2));
                if (!taken.Contains(address.V4))
                {
                    Keep(sandbox, address);
                    return address;
                }
            }
        }

        throw new VivariumException(
            ErrorCode.ResourceExhausted, $"no network address is free: all {Size} of {v4} are held", "Remove sandboxes, or give network.pool4 a larger range.", "addresses_exhausted");
    }

    /// <summary>Marks an address as a sandbox's, as its record says; false when it is another's already.</summary>
    public bool TryHold(string sandbox, SandboxAddress address)
    {
        lock (gate)
        {
            if (held.TryGetValue(sandbox, out var has))
            {
                return has == address;
            }

            if (taken.Contains(address.V4))
            {
                return false;
            }

            Keep(sandbox, address);
            return true;
        }
    }

    /// <summary>Frees a sandbox's address.</summary>
    public void Free(string sandbox)
    {
        lock (gate)
        {
            if (held.Remove(sandbox, out var address))
            {
                taken.Remove(address.V4);
            }
        }
    }

    private void Keep(string sandbox, SandboxAddress address)
    {
        held.Add(sandbox, address);
        taken.Add(address.V4);
    }
}
