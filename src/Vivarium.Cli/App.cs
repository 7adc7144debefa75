using System.CommandLine;
using System.CommandLine.Parsing;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Terminal;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli;

/// <summary>From the words of the command line to an exit code.</summary>
internal static class App
{
    /// <summary>Our own failures; the command's own codes pass through, see docs/reference.</summary>
    public const int OwnFailure = 125;

    public static int Run(string[] args) => Run(args, new Stdio(), TimeProvider.System);

    public static int Run(string[] args, Stdio stdio, TimeProvider clock)
    {
        var output = new TextOut(stdio.Output);
        var messages = new TextOut(stdio.Error);
        var split = Array.IndexOf(args, "--");
        var words = split < 0 ? args : args[..split];
        var json = words.Contains("--json");
        try
        {
            var code = Dispatch(words, split < 0 ? null : args[(split + 1)..], json, stdio, output, messages, clock);
            output.Flush();
            return code;
        }
        catch (InterruptedException e)
        {
            output.Flush();
            return 128 + e.Signal;
        }
        catch (ExitException e)
        {
            output.Flush();
            return e.Code;
        }
        catch (Exception e)
        {
            output.Flush();
            ErrorPrinter.Print(Describe(e), json, output, messages);
            output.Flush();
            return OwnFailure;
        }
    }

    /// <summary>The error as it is shown; an exception nobody foresaw is a defect and says so.</summary>
    public static ErrorInfo Describe(Exception error) => error switch
    {
        RemoteException remote => remote.Info,
        VivariumException known => known.ToInfo(),
        _ => new ErrorInfo
        {
            Code = ErrorCodes.ToText(ErrorCode.Internal),
            Message = $"viv failed unexpectedly: {error.GetType().Name}: {error.Message}",
            Hint = Environment.GetEnvironmentVariable("VIV_TRACE") is null ? "set VIV_TRACE=1 to see where, and report it" : error.StackTrace,
        },
    };

    private static int Dispatch(string[] words, string[]? command, bool json, Stdio stdio, TextOut output, TextOut messages, TimeProvider clock)
    {
        var at = FirstVerb(words);
        if (at < 0)
        {
            return WithoutVerb(words, output, messages);
        }

        if (words[at] == "help")
        {
            return Dispatch([.. words[(at + 1)..], "--help"], null, json, stdio, output, messages, clock);
        }

        var entry = Verbs.Find(words[at]) ?? throw CommandLineErrors.UnknownCommand(words[at], Verbs.All.Select(verb => verb.Name), "viv");
        var config = new Option<string>("--config") { HelpName = "FILE", Recursive = true };
        var help = new Option<bool>("--help", "-h", "-?") { Recursive = true };
        var verb = entry.Make();
        var root = new Command("viv") { verb };
        root.Options.Add(config);
        root.Options.Add(help);
        words = [.. words];
        words[at] = verb.Name;
        var parsed = root.Parse(words, new ParserConfiguration { EnablePosixBundling = true, ResponseFileTokenReplacer = null });
        var path = PathOf(parsed.CommandResult);
        var called = (Verb)parsed.CommandResult.Command;
        if (parsed.GetValue(help))
        {
            HelpText.Write(called, path, output);
            return 0;
        }

        if (CommandLineErrors.Of(parsed, path, called.TakesCommand) is { } wrong)
        {
            throw wrong;
        }

        if (command is not null && !called.TakesCommand)
        {
            throw Invocation.Usage($"'{path}' takes no command after '--'");
        }

        return called.Run(new Invocation(parsed, path, parsed.GetValue(config), json, command, stdio, output, messages, clock));
    }

    private static int WithoutVerb(string[] words, TextOut output, TextOut messages)
    {
        if (Array.IndexOf(words, "--config") is var config and >= 0)
        {
            words = [.. words[..config], .. words.Skip(config + 2)];
        }

        if (words.Contains("--version"))
        {
            output.Line($"viv {AppVersion.Text}").Flush();
            return 0;
        }

        if (words.FirstOrDefault(word => word is not ("-h" or "--help" or "-?" or "--json")) is { } unknown)
        {
            throw Invocation.Usage($"unknown flag '{unknown}' for 'viv'", "'viv --help' lists commands and flags");
        }

        if (words.Length > 0)
        {
            HelpText.WriteRoot(output);
            return 0;
        }

        HelpText.WriteRoot(messages);
        return OwnFailure;
    }

    /// <summary>The first word that is neither a flag nor the value of the one flag that may stand before the verb.</summary>
    private static int FirstVerb(string[] words)
    {
        for (var i = 0; i < words.Length; i++)
        {
            if (words[i] == "--config")
            {
                i++;
            }
            else if (!words[i].StartsWith('-'))
            {
                return i;
            }
        }

        return -1;
    }

    private static string PathOf(CommandResult result)
    {
        var names = new List<string>();
        for (SymbolResult? at = result; at is not null; at = at.Parent)
        {
            if (at is CommandResult command)
            {
                names.Insert(0, command.Command.Name);
            }
        }

        return string.Join(' ', names);
    }
}
