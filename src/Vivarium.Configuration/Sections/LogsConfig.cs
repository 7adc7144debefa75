using Vivarium.Configuration.Values;

namespace Vivarium.Configuration.Sections;

/// <summary><c>[logs]</c>.</summary>
public sealed record LogsConfig
{
    /// <summary>Size at which a console or process log rotates, 64 KiB to 1 GiB; one old file is kept.</summary>
    public ByteSize MaxBytes { get; init; } = ByteSize.FromMiB(10);
}
