using Vivarium.Configuration.Values;

namespace Vivarium.Configuration.Sections;

/// <summary><c>[pool]</c>: where volumes live.</summary>
public sealed record PoolConfig
{
    /// <summary><c>auto, btrfs, local-disk</c>.</summary>
    public string Store { get; init; } = "auto";

    /// <summary>Size of the sparse pool file when one is made, at least 256 MiB.</summary>
    public ByteSize Size { get; init; } = ByteSize.FromGiB(64);

    /// <summary>Directory of the pool; empty: <c>pool</c> in the state directory.</summary>
    public string Path { get; init; } = "";
}
