using System.Text.Json;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tools;

/// <summary>
/// One tool: its schema, and what it does inside a sandbox through the guest's ports. There is one implementation for every runtime, and none touches the
/// host: neither a path of it nor a program on it.
/// </summary>
internal abstract class Tool
{
    private ToolInfo? info;

    /// <summary>Its name.</summary>
    public abstract string Name { get; }

    /// <summary>What it does, for a model.</summary>
    public abstract string Description { get; }

    /// <summary>Other names of arguments, for clients of earlier services.</summary>
    public virtual IReadOnlyDictionary<string, string> Aliases => Nothing;

    /// <summary>Whether it may change files, so that a snapshot after it makes sense.</summary>
    public virtual bool Changes => true;

    /// <summary>JSON Schema of its arguments, as text.</summary>
    protected abstract string SchemaText { get; }

    private static IReadOnlyDictionary<string, string> Nothing { get; } = new Dictionary<string, string>();

    /// <summary>As the API shows it.</summary>
    public ToolInfo Info => info ??= new ToolInfo { Name = Name, Description = Description, Schema = Parse(SchemaText) };

    /// <summary>Runs it; the arguments fit the schema. What the model should hear is a result, also when it is an error.</summary>
    public abstract Task<ToolResult> RunAsync(ToolRun run, CancellationToken cancellationToken);

    private static JsonElement Parse(string text)
    {
        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }
}
