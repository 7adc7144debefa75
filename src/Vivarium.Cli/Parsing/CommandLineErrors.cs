using System.CommandLine;
using System.CommandLine.Parsing;
using Vivarium.Configuration.Values;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Parsing;

/// <summary>What is wrong with a command line, in a sentence with a suggestion.</summary>
internal static class CommandLineErrors
{
    public static VivariumException UnknownCommand(string word, IEnumerable<string> known, string path)
    {
        var near = Suggestion.Nearest(word, known);
        return Invocation.Usage($"unknown command '{word}' for '{path}'", near is null ? $"'{path} --help' lists the commands" : $"did you mean '{path} {near}'?");
    }

    /// <summary>The first error of a parse, or null.</summary>
    public static VivariumException? Of(ParseResult parsed, string path, bool takesCommand)
    {
        var command = parsed.CommandResult.Command;
        if ((parsed.UnmatchedTokens.Count > 0 ? parsed.UnmatchedTokens[0] : TakenFlag(parsed)) is { } word)
        {
            if (word.StartsWith('-') && word.Length > 1)
            {
                var names = Options(parsed).SelectMany(option => option.Aliases.Append(option.Name)).Where(name => name.StartsWith("--", StringComparison.Ordinal));
                var near = Suggestion.Nearest(word.Split('=')[0], names);
                var hint = near is not null ? $"did you mean '{near}'?"
                    : takesCommand ? $"options of the command to run go after '--'; '{path} --help' lists viv's own"
                    : $"'{path} --help' lists the flags";
                return Invocation.Usage($"unknown flag '{word}' for '{path}'", hint);
            }

            if (command.Subcommands.Count > 0)
            {
                return UnknownCommand(word, command.Subcommands.Select(sub => sub.Name), path);
            }

            return Invocation.Usage($"unexpected word '{word}' for '{path}'", takesCommand ? "the command to run goes after '--'" : $"usage: {path} {(command as Verb)?.Usage}");
        }

        if (parsed.Errors.Count == 0 || command.Subcommands.Count > 0)
        {
            return null;
        }

        foreach (var argument in command.Arguments)
        {
            if (argument.Arity.MinimumNumberOfValues > 0 && (parsed.GetResult(argument)?.Tokens.Count ?? 0) < argument.Arity.MinimumNumberOfValues)
            {
                return Invocation.Usage($"'{path}' needs {argument.HelpName ?? argument.Name}", $"usage: {path} {(command as Verb)?.Usage}");
            }
        }

        foreach (var option in Options(parsed))
        {
            var tokens = parsed.GetResult(option)?.Tokens.Count ?? 0;
            if (parsed.GetResult(option) is { Implicit: false } && tokens < option.Arity.MinimumNumberOfValues)
            {
                return Invocation.Usage($"{option.Name} needs a value", $"'{path} --help' describes it");
            }

            if (parsed.GetResult(option) is { Implicit: false } && tokens > option.Arity.MaximumNumberOfValues)
            {
                return Invocation.Usage($"{option.Name} is given more than once");
            }
        }

        return Invocation.Usage($"{parsed.Errors[0].Message.TrimEnd('.')}", $"usage: {path} {(command as Verb)?.Usage}");
    }

    /// <summary>An unknown flag that was taken for a word: the parser does so where words are open-ended, and a mistyped flag must not become a name.</summary>
    private static string? TakenFlag(ParseResult parsed) => parsed.CommandResult.Children
        .OfType<ArgumentResult>()
        .SelectMany(argument => argument.Tokens)
        .Select(token => token.Value)
        .FirstOrDefault(word => word.Length > 1 && word.StartsWith('-'));

    private static IEnumerable<Option> Options(ParseResult parsed)
    {
        foreach (var option in parsed.CommandResult.Command.Options)
        {
            yield return option;
        }

        foreach (var parent in parsed.CommandResult.Command.Parents.OfType<Command>())
        {
            foreach (var option in parent.Options.Where(option => option.Recursive))
            {
                yield return option;
            }

            foreach (var option in parent.Parents.OfType<Command>().SelectMany(grand => grand.Options).Where(option => option.Recursive))
            {
                yield return option;
            }
        }
    }
}
