namespace Vivarium.Volumes;

/// <summary>Usage of one volume, bytes.</summary>
/// <param name="ReferencedBytes">All it holds, shared or not.</param>
/// <param name="UniqueBytes">Written into it since it was made from its source; absent where the store cannot tell.</param>
/// <param name="Complete">False when the volume is so large that counting was cut short: the figures are lower bounds.</param>
public sealed record VolumeUsage(long ReferencedBytes, long? UniqueBytes, bool Complete = true);
