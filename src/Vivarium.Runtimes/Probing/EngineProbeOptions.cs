namespace Vivarium.Runtimes.Probing;

/// <summary>Where to look for engines and how to try them.</summary>
public sealed record EngineProbeOptions
{
    /// <summary>Configured program, or empty to search.</summary>
    public string Runc { get; init; } = "";

    /// <summary>Configured program, or empty to search.</summary>
    public string Crun { get; init; } = "";

    /// <summary>Configured program, or empty to search; only this one is tried then.</summary>
    public string Runsc { get; init; } = "";

    /// <summary>Our guest agent: what the trial container runs.</summary>
    public required string GuestAgentPath { get; init; }

    /// <summary>Existing directory trial containers are made below, private to this user.</summary>
    public required string WorkDirectory { get; init; }

    /// <summary>File remembering what worked, so that a restart need not try again; empty: remember nothing.</summary>
    public string CacheFile { get; init; } = "";

    /// <summary>Cgroup below each controller's root that trial containers live in.</summary>
    public string CgroupRoot { get; init; } = "/vivarium";

    /// <summary>Directories that hold unpacked engine packages, as <c>*/usr/bin/runsc</c>.</summary>
    public IReadOnlyList<string> EngineDirectories { get; init; } = ["/var/lib/vivarium/engines"];

    /// <summary>Directories programs are searched in.</summary>
    public IReadOnlyList<string> SearchPath { get; init; } = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

    /// <summary>How long one trial may take.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(30);
}
