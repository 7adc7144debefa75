namespace Vivarium.Volumes;

/// <summary>Kinds of volumes, one folder each in the pool.</summary>
public enum VolumeKind
{
    /// <summary>Read-only root file systems.</summary>
    Template,

    /// <summary>Writable state of sandboxes.</summary>
    Sandbox,

    /// <summary>Read-only points of sandboxes.</summary>
    Snapshot,
}
