namespace Vivarium.Configuration;

/// <summary>What a configuration is made from, weakest first: defaults, file, environment, flags.</summary>
public sealed record ConfigSources
{
    /// <summary>File named by the caller (<c>--config</c>); it must exist. Null: <c>VIVARIUM_CONFIG</c>, else the usual place, which may be empty.</summary>
    public string? File { get; init; }

    /// <summary>Environment variables; those of other programs are ignored.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Dotted keys set on the command line.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Flags { get; init; } = [];

    /// <summary>Whether root runs us; decides the default paths.</summary>
    public bool Privileged { get; init; } = true;

    /// <summary>This process: its environment and user, and the file named by the caller.</summary>
    public static ConfigSources OfThisProcess(string? file = null, IReadOnlyList<KeyValuePair<string, string>>? flags = null)
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (System.Collections.DictionaryEntry entry in System.Environment.GetEnvironmentVariables())
        {
            variables[(string)entry.Key] = (string?)entry.Value ?? "";
        }

        return new ConfigSources { File = file, Environment = variables, Flags = flags ?? [], Privileged = System.Environment.IsPrivilegedProcess };
    }
}
