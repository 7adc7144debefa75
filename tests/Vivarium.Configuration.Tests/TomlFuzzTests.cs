using System.Text;
using Vivarium.Configuration.Toml;
using Vivarium.TestKit;

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

    [Fact]
    public void A_configuration_with_bytes_changed_is_loaded_or_refused_with_places()
    {
        using var work = new TempDir();
        var file = work["config.toml"];
        const string valid = "[paths]\nstate = \"/var/lib/v\"\n[limits]\nmax_sandboxes = 10\nmax_timeout = \"24h\"\n[defaults]\nmemory = \"512MiB\"\ncpus = 1.5\n[network]\npool4 = \"10.1.0.0/16\"\n[templates]\nca_certificates = [\"/etc/a.pem\"]\n[warm_pool]\nenabled = false\n";
        var loaded = 0;
        Fuzz.Text(
            [valid],
            text =>
            {
                File.WriteAllText(file, text);
                var result = ConfigLoader.Read(new ConfigSources { File = file });
                loaded += result.Errors.Count == 0 ? 1 : 0;
                Assert.All(result.Errors, static e => Assert.NotEmpty(e.ToString()));
            },
            static _ => false,
            rounds: 1500);
        Assert.True(loaded > 0, "some damage must leave a configuration");
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
