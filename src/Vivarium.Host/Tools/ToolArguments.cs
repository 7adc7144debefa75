using System.Text.Json;

namespace Vivarium.Host.Tools;

/// <summary>Arguments that fit their schema, by name.</summary>
internal sealed class ToolArguments(IReadOnlyDictionary<string, JsonElement> values)
{
    public string Text(string name) => values[name].GetString()!;

    public string? MaybeText(string name) => values.TryGetValue(name, out var value) ? value.GetString() : null;

    public int? Number(string name) => values.TryGetValue(name, out var value) ? value.GetInt32() : null;

    public bool Flag(string name, bool otherwise = false) => values.TryGetValue(name, out var value) ? value.GetBoolean() : otherwise;

    public IReadOnlyList<string> Texts(string name) => values.TryGetValue(name, out var value) ? [.. value.EnumerateArray().Select(static item => item.GetString()!)] : [];
}
