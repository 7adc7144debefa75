using System.CommandLine;
using System.Text.Json;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv tool call</c>.</summary>
internal sealed class ToolCallCommand : Verb
{
    private readonly Argument<string> _sandbox = Opt.One("SANDBOX", "name, id or unambiguous prefix");
    private readonly Argument<string> _tool = Opt.One("TOOL", "name of the tool: 'viv tool ls' lists them");
    private readonly Argument<string?> _arguments = Opt.Maybe("JSON", "its arguments, a JSON object; default {}");
    private readonly Option<string> _id = Opt.Text("--call-id", "ID", "makes the call safe to repeat: the same id with the same arguments gives the first answer");
    private readonly Option<bool> _json = Opt.Json();

    public ToolCallCommand()
        : base("call", "Calls a tool in a sandbox and prints what it answers, which for a command is its output. Exits with the command's code, or 1 when the tool failed.")
    {
        Arguments.Add(_sandbox);
        Arguments.Add(_tool);
        Arguments.Add(_arguments);
        Options.Add(_id);
        Options.Add(_json);
    }

    public static Verb Make() => new ToolCallCommand
    {
        Usage = "[flags] SANDBOX TOOL [JSON]",
        Examples =
        [
            ("viv tool call quiet-fox bash '{\"command\": \"make test\", \"timeout_ms\": 60000}'", "a command line"),
            ("viv tool call quiet-fox edit_file '{\"path\": \"a.txt\", \"old\": \"one\", \"new\": \"two\"}'", "a text for another"),
            ("viv tool call --json quiet-fox git_status | jq .content", "the whole answer, for scripts"),
        ],
    };

    public override int Run(Invocation call)
    {
        var parameters = new ToolParams { Ref = call.Get(_sandbox)!, Name = call.Get(_tool)!, Arguments = Parse(call.Get(_arguments)), CallId = call.Get(_id) };
        using var host = call.Connect();
        var reply = host.Call(HostMethod.ToolCall, parameters, HostJson.Default.ToolParams, HostJson.Default.ToolReply);
        if (call.Json)
        {
            JsonOut.Print(call.Output, reply, HostJson.Default.ToolReply);
        }
        else
        {
            call.Output.Write(reply.Content);
            if (reply.Content.Length > 0 && !reply.Content.EndsWith('\n'))
            {
                call.Output.Line();
            }

            foreach (var note in Notes(reply))
            {
                call.Messages.Line("viv: " + note).Flush();
            }
        }

        return reply.ExitCode ?? (reply.IsError ? 1 : 0);
    }

    private static IEnumerable<string> Notes(ToolReply reply)
    {
        if (reply.TimedOut)
        {
            yield return "its time ran out, and it was ended with everything it had started";
        }

        if (reply.Oom)
        {
            yield return "it was ended because memory ran out";
        }

        if (reply.SnapshotError is { } error)
        {
            yield return "there is no snapshot: " + error;
        }
    }

    private static JsonElement? Parse(string? text)
    {
        if (text is null)
        {
            return null;
        }

        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : throw Bad("it is no object");
        }
        catch (JsonException e)
        {
            throw Bad(e.Message);
        }
    }

    private static VivariumException Bad(string why) => Invocation.Usage($"JSON: {why}", "give the arguments as an object in single quotes, such as '{\"path\": \"a.txt\"}'");
}
