using Vivarium.Wire.Host;

namespace Vivarium.Host.Engines;

/// <summary>Which engines work here.</summary>
internal interface IEngineCatalog
{
    /// <summary>The engine for a runtime (<c>auto, container, gvisor, direct</c>).</summary>
    /// <exception cref="Wire.Errors.VivariumException"><c>failed_precondition</c>, saying what was tried and why it does not work here.</exception>
    Task<EngineChoice> ChooseAsync(string runtime, CancellationToken cancellationToken);

    /// <summary>The engine a stored sandbox was made with.</summary>
    Task<EngineChoice> GetAsync(string runtime, string engine, CancellationToken cancellationToken);

    /// <summary>The very version that saved a sandbox's memory: no other one reads it. Null when it is not here any more.</summary>
    Task<EngineChoice?> FindSaverAsync(string engine, string version, CancellationToken cancellationToken);

    /// <summary>Starts looking, when nobody has asked yet: the first create should not wait for it.</summary>
    void Warm();

    /// <summary>What was found, for <c>info</c> and the doctor.</summary>
    Task<IReadOnlyList<EngineInfo>> ListAsync(CancellationToken cancellationToken);
}

/// <summary>An engine that works here.</summary>
internal sealed record EngineChoice(
    string Runtime,
    string Engine,
    string Path,
    IReadOnlyDictionary<string, string>? Options,
    bool Isolated,
    bool UserNamespaces,
    string? UserNamespaceRefusal = null,
    string? Version = null);
