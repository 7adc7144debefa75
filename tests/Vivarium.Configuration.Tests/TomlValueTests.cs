using System.Globalization;
using Vivarium.Configuration.Toml;

namespace Vivarium.Configuration.Tests;

/// <summary>Value types of TOML 1.0, by example; the cases follow the text of the specification.</summary>
public sealed class TomlValueTests
{
    [Theory]
    [InlineData("\"\"", "")]
    [InlineData("\"a \\\"b\\\" \\\\ \\t\\n\\r\\b\\f\"", "a \"b\" \\ \t\n\r\b\f")]
    [InlineData("\"\\u00e9\\U0001F600\"", "é😀")]
    [InlineData("'C:\\no\\escape'", "C:\\no\\escape")]
    [InlineData("\"\"\"\nRoses\nViolets\"\"\"", "Roses\nViolets")]
    [InlineData("\"\"\"a \\\n   \n  b\"\"\"", "a b")]
    [InlineData("\"\"\"two \"\" quotes\"\"\"", "two \"\" quotes")]
    [InlineData("\"\"\"\"quoted\"\"\"\"\"", "\"quoted\"\"")]
    [InlineData("'''\nraw \\n '' '''", "raw \\n '' ")]
    [InlineData("\"\"\"\r\nx\r\ny\"\"\"", "x\ny")]
    public void Strings(string text, string expected) => Assert.Equal(expected, Value(text));

    [Theory]
    [InlineData("0", 0)]
    [InlineData("+99", 99)]
    [InlineData("-17", -17)]
    [InlineData("1_000_000", 1_000_000)]
    [InlineData("0xDEAD_beef", 0xdeadbeef)]
    [InlineData("0o755", 493)]
    [InlineData("0b1101", 13)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("-9223372036854775808", long.MinValue)]
    [InlineData("0x7fffffffffffffff", long.MaxValue)]
    public void Integers(string text, long expected) => Assert.Equal(expected, Value(text));

    [Theory]
    [InlineData("3.1415", 3.1415)]
    [InlineData("-0.01", -0.01)]
    [InlineData("5e+22", 5e22)]
    [InlineData("1e06", 1e6)]
    [InlineData("6.626E-34", 6.626e-34)]
    [InlineData("224_617.445_991", 224617.445991)]
    [InlineData("inf", double.PositiveInfinity)]
    [InlineData("-inf", double.NegativeInfinity)]
    [InlineData("+nan", double.NaN)]
    public void Floats(string text, double expected) => Assert.Equal(expected, Value(text));

    [Theory]
    [InlineData("1979-05-27T07:32:00Z", "1979-05-27T07:32:00.0000000+00:00")]
    [InlineData("1979-05-27T00:32:00.999999-07:00", "1979-05-27T00:32:00.9999990-07:00")]
    [InlineData("1979-05-27 07:32:00z", "1979-05-27T07:32:00.0000000+00:00")]
    public void OffsetDateTimes(string text, string expected) =>
        Assert.Equal(expected, ((DateTimeOffset)Value(text)).ToString("o", CultureInfo.InvariantCulture));

    [Fact]
    public void LocalDatesAndTimes()
    {
        Assert.Equal(new DateTime(1979, 5, 27, 7, 32, 0), Value("1979-05-27T07:32:00"));
        Assert.Equal(new DateOnly(2024, 2, 29), Value("2024-02-29"));
        Assert.Equal(new TimeOnly(0, 32, 0, 500), Value("00:32:00.5"));
    }

    [Fact]
    public void Arrays_may_span_lines_hold_comments_and_end_in_a_comma()
    {
        var array = Assert.IsType<TomlArray>(Node("[ 1, # one\n  [ \"a\", 'b' ], { x = 1 },\n]"));
        Assert.Equal([TomlKind.Integer, TomlKind.Array, TomlKind.Table], array.Items.Select(item => item.Kind));
    }

    [Theory]
    [InlineData("01")]
    [InlineData("1__0")]
    [InlineData("_1")]
    [InlineData("1_")]
    [InlineData("+0x1")]
    [InlineData("0xg")]
    [InlineData("9223372036854775808")]
    [InlineData("0x8000000000000000")]
    [InlineData("1.")]
    [InlineData(".5")]
    [InlineData("1.e5")]
    [InlineData("1e")]
    [InlineData("00.5")]
    [InlineData("True")]
    [InlineData("bare")]
    [InlineData("")]
    [InlineData("\"open")]
    [InlineData("\"bad \\x41\"")]
    [InlineData("\"\\ud800\"")]
    [InlineData("\"\\u12\"")]
    [InlineData("\"\"\"open")]
    [InlineData("\"tab\u0001\"")]
    [InlineData("2023-02-30")]
    [InlineData("2023-13-01")]
    [InlineData("24:00:00")]
    [InlineData("12:30")]
    [InlineData("1979-05-27T07:32:00+25:00")]
    [InlineData("0001-01-01T00:00:00+01:00")]
    [InlineData("[1 2]")]
    [InlineData("[1,,2]")]
    [InlineData("[1")]
    [InlineData("{a=1,}")]
    [InlineData("{a=1, a=2}")]
    [InlineData("{a=1\n}")]
    [InlineData("{a={b=1}, a.c=2}")]
    [InlineData("1 2")]
    public void Refused(string text) => Assert.NotEmpty(new TomlReader().Read($"key = {text}").Errors);

    private static TomlNode Node(string text)
    {
        var document = new TomlReader().Read($"key = {text}\n");
        Assert.Empty(document.Errors);
        Assert.True(document.Root.TryGet("key", out var node));
        return node;
    }

    private static object Value(string text) => Assert.IsType<TomlScalar>(Node(text)).Value;
}
