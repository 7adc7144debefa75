namespace Vivarium.Volumes;

/// <summary>What reading the whole pool found.</summary>
/// <param name="Bytes">Read.</param>
/// <param name="Errors">Places that do not agree with their checksum or cannot be read.</param>
/// <param name="Corrected">Of those repaired from a second copy.</param>
/// <param name="Uncorrectable">Of those lost.</param>
public sealed record PoolCheck(long Bytes, long Errors, long Corrected, long Uncorrectable);
