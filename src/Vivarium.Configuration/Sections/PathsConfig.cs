namespace Vivarium.Configuration.Sections;

/// <summary><c>[paths]</c>: where the daemon keeps things. Both absolute.</summary>
public sealed record PathsConfig
{
    /// <summary>What must survive a reboot: database, pool, specs, logs.</summary>
    public string State { get; init; } = "/var/lib/vivarium";

    /// <summary>Sockets and what dies with the machine. At most 60 bytes, so that socket paths below it fit into sockaddr_un.</summary>
    public string Runtime { get; init; } = "/run/vivarium";
}
