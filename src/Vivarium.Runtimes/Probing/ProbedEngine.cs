using Vivarium.Wire.Host;

namespace Vivarium.Runtimes.Probing;

/// <summary>An engine and what trying it showed.</summary>
public sealed record ProbedEngine
{
    /// <summary>For people and the API.</summary>
    public required EngineInfo Info { get; init; }

    /// <summary>Settings found by trial, for the supervisor's specification (<see cref="Wire.Supervisor.SupervisorSpec.EngineOptions"/>); null when none are needed.</summary>
    public IReadOnlyDictionary<string, string>? Options { get; init; }

    /// <summary>Whether a user namespace with an id range of its own works with it here.</summary>
    public bool UserNamespaces { get; init; }

    /// <summary>Why it does not, as the trial said; null when it does, or when the engine isolates ids by itself.</summary>
    public string? UserNamespaceRefusal { get; init; }
}
