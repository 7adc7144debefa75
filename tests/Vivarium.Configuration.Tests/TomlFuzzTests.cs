using System.Text;
using Vivarium.Configuration.Toml;

namespace Vivarium.Configuration.Tests;

/// <summary>Whatever the text, reading ends, throws nothing, and names places inside the text.</summary>
public sealed class TomlFuzzTests
{
    private static readonly string[] Fragments =
    [
        "a", "b.c", "\"q\"", "'l'", " = ", "=", "[", "]", "[[", "]]", "{", "}", ",", ".", "#", "\n", "\r\n", "\r", " ", "\t", "\"\"\"", "'''", "\\", "\\u00e9", "\\\n",
        "1", "-1", "0x1f", "1e9", "1.5", "inf", "nan", "true", "false", "1979-05-27", "07:32:00", "T", "Z", "+01:00", "_", "é", "😀", "\ud800", "\0", "\u007f", "99999999999999999999",
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Fragments_in_any_order(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 20_000; round++)
        {
            var text = new StringBuilder();
            for (var i = random.Next(1, 40); i > 0; i--)
            {
                text.Append(Fragments[random.Next(Fragments.Length)]);
            }

            Check(text.ToString());
        }
    }

    [Fact]
    public void A_valid_text_with_characters_changed()
    {
        const string valid = "[paths]\nstate = \"/var/lib\" # here\n[limits]\nmax = 0x1f\nlist = [1, 2.5, { a = 'x', b.c = 1979-05-27T07:32:00Z }]\ntext = \"\"\"\nmore \\\n  lines\"\"\"\n[[a.b]]\nc = true\n";
        var random = new Random(7);
        for (var round = 0; round < 20_000; round++)
        {
            var text = new StringBuilder(valid);
            for (var i = random.Next(1, 4); i > 0; i--)
            {
                text[random.Next(text.Length)] = (char)random.Next(0, 0x100);
            }

            text.Length = random.Next(2) == 0 ? text.Length : random.Next(text.Length);
            Check(text.ToString());
        }
    }

    private static void Check(string text)
    {
        var document = new TomlReader().Read(text);
        var lines = text.Count(c => c == '\n') + 1;
        foreach (var error in document.Errors)
        {
            Assert.InRange(error.Position.Line, 1, lines);
            Assert.InRange(error.Position.Column, 1, text.Length + 1);
            Assert.NotEmpty(error.Message);
        }
    }
}
