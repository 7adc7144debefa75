using System.CommandLine;
using System.Text.Json;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Configuration;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv config check</c>: exit code 0 when good, 1 when not.</summary>
internal sealed class ConfigCheckCommand : Verb
{
    private readonly Argument<string?> _file = Opt.Maybe("FILE", "file to check instead of the one in use");
    private readonly Option<bool> _json = Opt.Json();

    public ConfigCheckCommand()
        : base("check", "Checks the configuration and reports every error with file and line. Exit code 1 when there are errors.")
    {
        Arguments.Add(_file);
        Options.Add(_json);
    }

    public static Verb Make() => new ConfigCheckCommand { Usage = "[flags] [FILE]", Examples = [("viv config check new.toml", "before putting it in place")] };

    public override int Run(Invocation call)
    {
        var result = ConfigLoader.Read(ConfigSources.OfThisProcess(call.Get(_file) ?? call.ConfigFile));
        if (call.Json)
        {
            PrintJson(call, result);
        }
        else
        {
            foreach (var error in result.Errors)
            {
                call.Output.Line(Style.Safe(error.ToString()));
            }

            call.Messages.Line(result.Errors.Count switch
            {
                0 => result.Config.Files.Count == 0 ? "good: no file, all defaults" : $"good: {string.Join(", ", result.Config.Files)}",
                1 => "1 error",
                var count => $"{count} errors",
            }).Flush();
        }

        return result.Errors.Count == 0 ? 0 : 1;
    }

    private static void PrintJson(Invocation call, ConfigResult result)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, JsonOut.WriterOptions))
        {
            writer.WriteStartObject();
            writer.WriteBoolean("ok", result.Errors.Count == 0);
            writer.WriteStartArray("errors");
            foreach (var error in result.Errors)
            {
                writer.WriteStartObject();
                writer.WriteString("source", error.Source);
                if (error.Key is not null)
                {
                    writer.WriteString("key", error.Key);
                }

                writer.WriteString("message", error.Message);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        bytes.WriteByte((byte)'\n');
        call.Output.Raw(bytes.ToArray());
    }
}
