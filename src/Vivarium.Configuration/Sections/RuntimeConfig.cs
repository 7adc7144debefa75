namespace Vivarium.Configuration.Sections;

/// <summary><c>[runtime]</c>. Empty program paths: found beside our own programs or in PATH.</summary>
public sealed record RuntimeConfig
{
    /// <summary>Whether sandboxes without any isolation may be made.</summary>
    public bool AllowDirect { get; init; }

    /// <summary>Program runc.</summary>
    public string Runc { get; init; } = "";

    /// <summary>Program crun.</summary>
    public string Crun { get; init; } = "";

    /// <summary>Program runsc.</summary>
    public string Runsc { get; init; } = "";

    /// <summary>Our guest agent.</summary>
    public string GuestAgent { get; init; } = "";

    /// <summary>Our supervisor.</summary>
    public string Supervisor { get; init; } = "";

    /// <summary>Cgroup below each controller's root that everything of this daemon lives in.</summary>
    public string CgroupRoot { get; init; } = "/vivarium";

    /// <summary><c>auto</c> (where engine and kernel can), <c>on</c> (or refuse), <c>off</c>.</summary>
    public string UserNamespaces { get; init; } = "auto";
}
