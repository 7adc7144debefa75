using System.CommandLine;

namespace Vivarium.Cli.Parsing;

/// <summary>Short ways to write options and arguments down.</summary>
internal static class Opt
{
    public static Option<bool> Flag(string name, string description, params string[] aliases) => new(name, aliases) { Description = description };

    public static Option<string> Text(string name, string value, string description, params string[] aliases) =>
        new(name, aliases) { Description = description, HelpName = value };

    /// <summary>May be given several times, one value each.</summary>
    public static Option<string[]> Many(string name, string value, string description, params string[] aliases) =>
        new(name, aliases) { Description = description, HelpName = value, AllowMultipleArgumentsPerToken = false, Arity = ArgumentArity.OneOrMore };

    public static Option<bool> Json() => Flag("--json", "print JSON");

    public static Argument<string> One(string name, string description) => new(name) { Description = description, HelpName = name, Arity = ArgumentArity.ExactlyOne };

    public static Argument<string?> Maybe(string name, string description) => new(name) { Description = description, HelpName = name, Arity = ArgumentArity.ZeroOrOne };

    public static Argument<string[]> Some(string name, string description) => new(name) { Description = description, HelpName = name, Arity = ArgumentArity.OneOrMore };

    public static Argument<string[]> Any(string name, string description) => new(name) { Description = description, HelpName = name, Arity = ArgumentArity.ZeroOrMore };
}
