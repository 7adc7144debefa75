namespace Vivarium.Wire.Host;

/// <summary>
/// What a sandbox with network <c>nat</c> may reach. Without it: the public network, no private range, no other sandbox. Allow rules win over deny rules, both win over
/// the defaults; this host, link-local and metadata addresses, multicast stay closed whatever is allowed.
/// </summary>
public sealed record NetworkPolicySpec
{
    /// <summary><c>allow</c> (default) or <c>deny</c>: the public network beyond the lists.</summary>
    public string? Default { get; init; }

    /// <summary>Rules that open: <c>10.0.0.0/8</c>, <c>10.1.2.3:443</c>, <c>[fd00::1]:80-90</c>, <c>all:443</c>, <c>NAME.viv</c>. At most 256.</summary>
    public IReadOnlyList<string>? Allow { get; init; }

    /// <summary>Rules that close; the same forms without names. At most 256.</summary>
    public IReadOnlyList<string>? Deny { get; init; }

    /// <summary>Most bytes a second, each way; 0: no limit.</summary>
    public long? BandwidthBytes { get; init; }

    /// <summary>Most connections open at once.</summary>
    public int? Connections { get; init; }

    /// <summary>Whether names outside the sandboxes' own domain are resolved; default true.</summary>
    public bool? Dns { get; init; }
}

/// <summary>Parameters of <c>sandbox.set_network</c>: what is absent stays.</summary>
public sealed record SetNetworkParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary><c>none</c> or <c>nat</c>; it changes only while the sandbox is stopped.</summary>
    public string? Network { get; init; }

    /// <summary>Replaces the parts of the policy it names, at once; flows it no longer allows are cut.</summary>
    public NetworkPolicySpec? Policy { get; init; }

    /// <summary>Forgets the whole policy first: back to the defaults.</summary>
    public bool Reset { get; init; }
}

/// <summary>Answer to <c>sandbox.set_network</c>.</summary>
public sealed record SetNetworkReply
{
    /// <summary>The sandbox as it is now.</summary>
    public required SandboxInfo Sandbox { get; init; }


    /// <summary>Open connections that were cut.</summary>
    public int Cut { get; init; }
}
