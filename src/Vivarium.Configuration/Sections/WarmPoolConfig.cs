using Vivarium.Configuration.Values;

namespace Vivarium.Configuration.Sections;

/// <summary><c>[warm_pool]</c>: ready sandboxes that a create only names and configures.</summary>
public sealed record WarmPoolConfig
{
    /// <summary>Whether any are kept.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Ready sandboxes of each shape (template, runtime, CPUs, memory, processes), 1 to 64.</summary>
    public int PerShape { get; init; } = 2;

    /// <summary>Ready sandboxes in all, 1 to 1000.</summary>
    public int Max { get; init; } = 8;

    /// <summary>How long after its last use a shape is kept ready.</summary>
    public TimeSpan Keep { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Below so much available memory on the machine none are made, and those there are go.</summary>
    public ByteSize MinFreeMemory { get; init; } = ByteSize.FromMiB(512);
}
