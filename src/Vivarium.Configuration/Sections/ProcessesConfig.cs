namespace Vivarium.Configuration.Sections;

/// <summary><c>[processes]</c>: processes launched in sandboxes.</summary>
public sealed record ProcessesConfig
{
    /// <summary>Address of this host that their exposed ports are published at, and told by.</summary>
    public string Advertise { get; init; } = "127.0.0.1";

    /// <summary>Ended ones that are remembered of a sandbox.</summary>
    public int Keep { get; init; } = 100;

    /// <summary>How long.</summary>
    public TimeSpan KeepFor { get; init; } = TimeSpan.FromHours(1);
}
