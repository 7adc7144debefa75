namespace Vivarium.Volumes.Selection;

/// <summary>What the configuration says of the pool.</summary>
public sealed record PoolOptions
{
    /// <summary>State directory.</summary>
    public required string StateDirectory { get; init; }

    /// <summary><c>auto</c>, <c>btrfs</c>, <c>zfs</c> or <c>local-disk</c>.</summary>
    public string Store { get; init; } = "auto";

    /// <summary>Size of a pool file, bytes. The file is sparse: it takes what is in it. A larger value than the file's grows it at the next start.</summary>
    public long SizeBytes { get; init; } = 64L * 1024 * 1024 * 1024;

    /// <summary>Pool directory; empty: <c>pool</c> in the state directory. A pool file lies beside it, with <c>.img</c> at its end.</summary>
    public string Path { get; init; } = "";

    /// <summary>The pool directory, absolute.</summary>
    public string Directory => System.IO.Path.GetFullPath(Path.Length > 0 ? Path : System.IO.Path.Combine(StateDirectory, "pool"));
}
