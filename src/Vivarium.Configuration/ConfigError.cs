namespace Vivarium.Configuration;

/// <summary>One thing wrong with the configuration.</summary>
/// <param name="Source">Where: <c>path:line</c>, the environment variable or <c>--flag</c>.</param>
/// <param name="Key">Dotted key, or null when it is not about one.</param>
/// <param name="Message">What is wrong, with a suggestion where there is one.</param>
public sealed record ConfigError(string Source, string? Key, string Message)
{
    /// <summary>The line people read: <c>source: key: message</c>.</summary>
    public override string ToString() => Key is null ? $"{Source}: {Message}" : $"{Source}: {Key}: {Message}";
}
