using Vivarium.Host.Tools.Git;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tools;

/// <summary>Every tool there is.</summary>
internal static class ToolCatalog
{
    private static readonly Tool[] All = [new BashTool(), new ReadFileTool(), new WriteFileTool(), new EditFileTool(), new GrepTool(), new GlobTool(), .. GitTools.All];

    private static readonly Dictionary<string, Tool> ByName = All.ToDictionary(static tool => tool.Name);

    /// <summary>As the API shows them.</summary>
    public static ToolList List { get; } = new() { Tools = [.. All.Select(static tool => tool.Info)] };

    /// <summary>Finds one.</summary>
    /// <exception cref="VivariumException">invalid_argument <c>unknown_tool</c>.</exception>
    public static Tool Get(string name) => ByName.GetValueOrDefault(name) ?? throw new VivariumException(
        ErrorCode.InvalidArgument,
        $"calling a tool: there is none called {Naming.NameRules.Quote(name)}",
        "The tools: " + string.Join(", ", All.Select(static tool => tool.Name)) + ".",
        "unknown_tool");
}
