namespace Vivarium.Volumes;

/// <summary>What a volume store can do; a call for something it cannot is refused with a precise error, never emulated silently.</summary>
/// <param name="Snapshots">Point-in-time copies that share data.</param>
/// <param name="Quota">A limit per volume.</param>
/// <param name="UniqueBytes">Knows how many bytes belong to one volume alone.</param>
public sealed record VolumeStoreCapabilities(bool Snapshots, bool Quota, bool UniqueBytes);
