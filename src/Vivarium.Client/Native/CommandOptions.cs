namespace Vivarium.Client;

/// <summary>How a command is run. Everything has a default.</summary>
public sealed record CommandOptions
{
    /// <summary>Directory; default the sandbox's.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>Added to the sandbox's environment.</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }

    /// <summary>User, <c>name</c>, <c>uid</c>, <c>name:group</c> or <c>uid:gid</c>; default the sandbox's.</summary>
    public string? User { get; init; }

    /// <summary>Kill it, and what it has started, after this time.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Standard input.</summary>
    public ReadOnlyMemory<byte> Input { get; init; }
}
