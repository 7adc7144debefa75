using System.CommandLine;
using Vivarium.Cli.Output;

namespace Vivarium.Cli.Parsing;

/// <summary>The help of viv and of each command: what it does, how to call it, every flag, examples.</summary>
internal static class HelpText
{
    private const int MaxNameColumn = 30;

    public static void WriteRoot(TextOut output)
    {
        Heading(output, "Vivarium: disposable sandboxes for agents and untrusted code");
        output.Line().Line("usage: viv COMMAND [flags] [arguments]");
        foreach (var group in Verbs.All.GroupBy(verb => verb.Group))
        {
            output.Line();
            Heading(output, group.Key);
            foreach (var verb in group)
            {
                output.Line($"  {verb.Name,-12} {verb.Summary}");
            }
        }

        output.Line();
        Heading(output, "Flags of every command");
        output.Line("  --config FILE  configuration file (also VIVARIUM_CONFIG)");
        output.Line("  --json         print data as JSON, errors too");
        output.Line("  -h, --help     help of the command");
        output.Line();
        Heading(output, "Start here");
        output.Line("  viv run -- uname -a        a command in a fresh sandbox, removed at the end");
        output.Line("  viv run -it -- bash        a terminal in one");
        output.Line("  viv doctor                 what this machine can do");
        output.Flush();
    }

    public static void Write(Verb verb, string path, TextOut output)
    {
        output.Line(verb.Description ?? "").Line();
        output.Line($"usage: {path} {verb.Usage}".TrimEnd());
        if (verb.Subcommands.Count > 0)
        {
            output.Line();
            Heading(output, "Commands");
            foreach (var sub in verb.Subcommands)
            {
                output.Line($"  {sub.Name,-12} {sub.Description}");
            }
        }

        var rows = verb.Arguments.Select(argument => (Name: argument.HelpName ?? argument.Name, argument.Description)).ToList();
        if (rows.Count > 0)
        {
            output.Line();
            Heading(output, "Arguments");
            Rows(output, rows);
        }

        var flags = verb.Options.Where(option => !option.Hidden).Select(option => (Name: Name(option), option.Description)).ToList();
        flags.Add(("    --config FILE", "configuration file (also VIVARIUM_CONFIG)"));
        flags.Add(("-h, --help", "this help"));
        output.Line();
        Heading(output, "Flags");
        Rows(output, flags);
        if (verb.Examples.Count > 0)
        {
            output.Line();
            Heading(output, "Examples");
            foreach (var (line, meaning) in verb.Examples)
            {
                output.Line($"  {line}").Line($"      {meaning}");
            }
        }

        output.Flush();
    }

    private static string Name(Option option)
    {
        var shorts = option.Aliases.Where(alias => alias.Length == 2).ToArray();
        var name = (shorts.Length > 0 ? shorts[0] + (option.Name == shorts[0] ? "" : ", ") : option.Name.Length == 2 ? "" : "    ") + option.Name;
        return option.HelpName is { } value ? $"{name} {value}" : name;
    }

    private static void Rows(TextOut output, IReadOnlyList<(string Name, string? Description)> rows)
    {
        var width = Math.Min(rows.Max(row => row.Name.Length), MaxNameColumn);
        foreach (var (name, description) in rows)
        {
            if (name.Length > width)
            {
                output.Line($"  {name}").Line($"  {new string(' ', width)}  {description}");
            }
            else
            {
                output.Line($"  {name.PadRight(width)}  {description}".TrimEnd());
            }
        }
    }

    private static void Heading(TextOut output, string text) => output.Line(Style.Paint(output.Color, Style.Strong, text));
}
