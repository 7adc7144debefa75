using Vivarium.Configuration.Values;

namespace Vivarium.Configuration.Sections;

/// <summary><c>[defaults]</c>: what a new sandbox gets when its creator says nothing.</summary>
public sealed record DefaultsConfig
{
    /// <summary><c>auto, container, gvisor, vm, direct</c>.</summary>
    public string Runtime { get; init; } = "auto";

    /// <summary>Template name or digest.</summary>
    public string Template { get; init; } = "base";

    /// <summary>CPUs, 0.01 to 1024.</summary>
    public double Cpus { get; init; } = 2;

    /// <summary>Memory, at least 16 MiB.</summary>
    public ByteSize Memory { get; init; } = ByteSize.FromGiB(1);

    /// <summary>Processes and threads, at least 16.</summary>
    public int Pids { get; init; } = 1024;

    /// <summary>Disk space a sandbox may write beyond its template; null: no limit.</summary>
    public ByteSize? Disk { get; init; }

    /// <summary><c>none</c> or <c>nat</c>.</summary>
    public string Network { get; init; } = "none";

    /// <summary>Life of a sandbox; null: no limit.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Life without activity; null: no limit.</summary>
    public TimeSpan? IdleTimeout { get; init; }

    /// <summary><c>kill</c> or <c>pause</c>.</summary>
    public string OnTimeout { get; init; } = "kill";

    /// <summary>User of processes; empty: the template's.</summary>
    public string User { get; init; } = "";
}
