using Vivarium.Configuration.Toml;

namespace Vivarium.Configuration.Tests;

/// <summary>Keys, tables and what may be defined once.</summary>
public sealed class TomlTableTests
{
    [Theory]
    [InlineData("a = 1\n[t]\nb = 2\n[t.u]\nc = 3", "a t.b t.u.c")]
    [InlineData("a.b.c = 1\na.b.d = 2", "a.b.c a.b.d")]
    [InlineData("\"quoted key\" = 1\n'lit.eral' = 2\n\"\" = 3", "quoted key lit.eral ")]
    [InlineData("[x.y.z]\na = 1\n[x]\nb = 2", "x.y.z.a x.b")]
    [InlineData("[ a . \"b\" . c ]\nd = 1", "a.b.c.d")]
    [InlineData("[[p]]\na = 1\n[p.q]\nb = 2\n[[p]]\na = 3", "p[0].a p[0].q.b p[1].a")]
    [InlineData("[fruit]\napple.color = 'red'\n[fruit.apple.taste]\nsweet = true", "fruit.apple.color fruit.apple.taste.sweet")]
    [InlineData("t = { a = 1, b.c = 2, d = {} }", "t.a t.b.c")]
    [InlineData("a = 1\r\nb = 2\r\n", "a b")]
    [InlineData("# only\n\n \t# comments\n", "")]
    [InlineData("1234 = 1\n-_- = 2", "1234 -_-")]
    public void Read(string text, string leaves)
    {
        var document = new TomlReader().Read(text);
        Assert.Empty(document.Errors);
        Assert.Equal(leaves, string.Join(' ', Leaves(document.Root, "")));
    }

    [Theory]
    [InlineData("a = 1\na = 2", 2, 1)]
    [InlineData("[t]\n[t]", 2, 2)]
    [InlineData("a = 1\n[a]", 2, 2)]
    [InlineData("a.b = 1\na.b.c = 2", 2, 3)]
    [InlineData("[fruit]\napple.color = 1\n[fruit.apple]", 3, 8)]
    [InlineData("[a.b]\n[a]\nb.c = 1", 3, 1)]
    [InlineData("t = {}\n[t.u]", 2, 2)]
    [InlineData("t = {}\nt.u = 1", 2, 1)]
    [InlineData("a = []\n[[a]]", 2, 3)]
    [InlineData("[[a]]\n[a]", 2, 2)]
    [InlineData("[a]\n[[a]]", 2, 3)]
    [InlineData("= 1", 1, 1)]
    [InlineData("a. = 1", 1, 4)]
    [InlineData("a b = 1", 1, 3)]
    [InlineData("a = 1 b = 2", 1, 7)]
    [InlineData("[a", 1, 3)]
    [InlineData("[a]]", 1, 4)]
    [InlineData("[]", 1, 2)]
    [InlineData("[ [a]]", 1, 3)]
    [InlineData("\"\"\"k\"\"\" = 1", 1, 1)]
    [InlineData("a = 1 # bad \u0002", 1, 13)]
    [InlineData("a = 1\rb = 2", 1, 6)]
    public void Refused_at(string text, int line, int column)
    {
        var error = new TomlReader().Read(text).Errors[0];
        Assert.Equal(new TomlPosition(line, column), error.Position);
    }

    [Fact]
    public void Every_bad_line_is_reported()
    {
        var errors = new TomlReader().Read("a = \nb = 1\nc == 2\n[bad\nd = nope\n").Errors;
        Assert.Equal([1, 3, 4, 5], errors.Select(error => error.Position.Line));
    }

    [Fact]
    public void Deep_nesting_is_refused_not_overflowed()
    {
        Assert.Contains("deep", new TomlReader().Read("a = " + new string('[', 200_000)).Errors[0].Message, StringComparison.Ordinal);
        Assert.NotEmpty(new TomlReader().Read("a" + string.Concat(Enumerable.Repeat(".a", 100_000)) + " = 1").Errors);
    }

    private static IEnumerable<string> Leaves(TomlTable table, string prefix) => table.Entries.SelectMany(entry => entry.Value switch
    {
        TomlTable inner => Leaves(inner, prefix + entry.Key + "."),
        TomlArray array when array.Items.All(item => item is TomlTable) => array.Items.SelectMany((item, i) => Leaves((TomlTable)item, $"{prefix}{entry.Key}[{i}].")),
        _ => [prefix + entry.Key],
    });
}
