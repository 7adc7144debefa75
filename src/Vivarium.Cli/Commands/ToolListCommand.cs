using System.CommandLine;
using System.Text.Json;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv tool ls</c>.</summary>
internal sealed class ToolListCommand : Verb
{
    private readonly Option<bool> _json = Opt.Json();

    public ToolListCommand()
        : base("ls", "Lists the tools with their arguments; * marks those that must be given. With --json each has its JSON Schema.")
    {
        Options.Add(_json);
    }

    public static Verb Make() => new ToolListCommand
    {
        Usage = "[flags]",
        Examples = [("viv tool ls", "names and arguments"), ("viv tool ls --json | jq '.tools[] | {name, description, input_schema: .schema}'", "for a model's API")],
    };

    public override int Run(Invocation call)
    {
        using var host = call.Connect();
        var list = host.Call(HostMethod.ToolList, HostJson.Default.ToolList);
        if (call.Json)
        {
            JsonOut.Print(call.Output, list, HostJson.Default.ToolList);
            return 0;
        }

        var table = new Table("TOOL", "ARGUMENTS");
        foreach (var tool in list.Tools)
        {
            table.Add(tool.Name, string.Join(' ', Names(tool.Schema)));
        }

        table.WriteTo(call.Output);
        return 0;
    }

    private static IEnumerable<string> Names(JsonElement schema)
    {
        string?[] required = [.. schema.GetProperty("required").EnumerateArray().Select(static r => r.GetString())];
        return schema.GetProperty("properties").EnumerateObject().Select(p => required.Contains(p.Name) ? p.Name + "*" : p.Name);
    }
}
