using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Tests;

public sealed class HelpTests
{
    public static IEnumerable<TheoryDataRow<string>> Paths() => Verbs.All.SelectMany(entry =>
    {
        var verb = entry.Make();
        return verb.Subcommands.Select(sub => $"{verb.Name} {sub.Name}").Prepend(verb.Name);
    }).Select(path => new TheoryDataRow<string>(path));

    [Theory]
    [MemberData(nameof(Paths))]
    public void Of_each_command(string path)
    {
        var run = CliRun.Of(null, [.. path.Split(' '), "--help"]);
        Assert.Equal((0, ""), (run.Code, run.Errors));
        Golden.Check($"help/{path.Replace(' ', '-')}.txt", run.Output);
        Assert.Equal(run, CliRun.Of(null, ["help", .. path.Split(' ')]));
    }

    [Fact]
    public void Of_viv_itself()
    {
        var run = CliRun.Of(null, ["-h"]);
        Assert.Equal((0, ""), (run.Code, run.Errors));
        Golden.Check("help/viv.txt", run.Output);
    }

    [Fact]
    public void Without_a_command_help_goes_to_standard_error_and_the_code_says_so()
    {
        var run = CliRun.Of(null, []);
        Assert.Equal((125, ""), (run.Code, run.Output));
        Assert.Contains("usage: viv COMMAND", run.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Every_command_with_an_effect_has_an_example(string path)
    {
        var words = path.Split(' ');
        var verb = Verbs.Find(words[0])!.Make();
        verb = words.Length > 1 ? (Verb)verb.Subcommands.Single(sub => sub.Name == words[1]) : verb;
        Assert.True(verb.Examples.Count > 0 || verb.Arguments.Count == 0, path);
        Assert.All(verb.Options, option => Assert.False(string.IsNullOrEmpty(option.Description), option.Name));
        Assert.All(verb.Arguments, argument => Assert.False(string.IsNullOrEmpty(argument.Description), argument.Name));
    }
}
