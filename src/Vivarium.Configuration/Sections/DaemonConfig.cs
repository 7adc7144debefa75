namespace Vivarium.Configuration.Sections;

/// <summary><c>[daemon]</c>.</summary>
public sealed record DaemonConfig
{
    /// <summary>Group that may use the sockets, when it exists; empty: root only.</summary>
    public string SocketGroup { get; init; } = "vivarium";

    /// <summary><c>trace, debug, info, warn, error</c>.</summary>
    public string LogLevel { get; init; } = "info";

    /// <summary><c>text</c> or <c>json</c>.</summary>
    public string LogFormat { get; init; } = "text";
}
