namespace Vivarium.Configuration.Sections;

/// <summary><c>[http]</c>: the daemon's HTTP listener.</summary>
public sealed record HttpConfig
{
    /// <summary><c>ADDRESS:PORT</c> (an IPv6 address in brackets; port 0: a free one, named in the log and by <c>viv daemon status</c>); empty: none.</summary>
    public string Listen { get; init; } = "";

    /// <summary>Whether <see cref="Listen"/> may be an address others than this machine reach.</summary>
    public bool AllowRemote { get; init; }
}
