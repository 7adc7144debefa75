namespace Vivarium.TestKit;

/// <summary>Where to look for leaks. Other tests run on the same machine: name only what belongs to this one.</summary>
public sealed record LeakScope
{
    /// <summary>Count our own descriptors, children and (with some slack) threads; only right when no other test runs in this process at the same time.</summary>
    public bool Process { get; init; } = true;

    /// <summary>Mounts at and below these paths.</summary>
    public IReadOnlyList<string> MountsBelow { get; init; } = [];

    /// <summary>Cgroups below this path in every hierarchy, for example <c>/vivarium-test-abc</c>.</summary>
    public string? CgroupRoot { get; init; }

    /// <summary>Loop devices whose backing file is below these paths.</summary>
    public IReadOnlyList<string> LoopFilesBelow { get; init; } = [];

    /// <summary>Processes whose command line mentions this text.</summary>
    public string? ProcessesMentioning { get; init; }
}
