using Vivarium.Host.Naming;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.Tests.Naming;

public sealed class NameRulesTests
{
    [Theory]
    [InlineData("a")]
    [InlineData("a1-b")]
    [InlineData("0")]
    [InlineData("abcdefghijklmnopqrst-z")]
    public void Good_names_pass(string name) => NameRules.CheckName(name);

    [Theory]
    [InlineData("")]
    [InlineData("A")]
    [InlineData("-a")]
    [InlineData("a-")]
    [InlineData("a_b")]
    [InlineData("a.b")]
    [InlineData("a b")]
    [InlineData("a\n")]
    [InlineData("é")]
    [InlineData("../x")]
    [InlineData("abcdefghij0123456789")] // looks like an id
    public void Bad_names_are_refused_not_rewritten(string name) =>
        Assert.Equal(ErrorCode.InvalidArgument, Assert.Throws<VivariumException>(() => NameRules.CheckName(name)).Code);

    [Fact]
    public void Names_have_63_characters_at_most()
    {
        NameRules.CheckName(new string('a', 63));
        Assert.Throws<VivariumException>(() => NameRules.CheckName(new string('a', 64)));
    }

    [Theory]
    [InlineData("A")]
    [InlineData("session.1_x-Y")]
    public void Good_external_ids_pass(string id) => NameRules.CheckExternalId(id);

    [Theory]
    [InlineData("")]
    [InlineData(".a")]
    [InlineData("-a")]
    [InlineData("a..b")]
    [InlineData("a/b")]
    [InlineData("a b")]
    public void Bad_external_ids_are_refused(string id) => Assert.Throws<VivariumException>(() => NameRules.CheckExternalId(id));

    [Fact]
    public void Text_of_a_caller_is_shown_short_and_without_control_characters()
    {
        Assert.Equal("'a?b'", NameRules.Quote("a\u001bb"));
        Assert.True(NameRules.Quote(new string('x', 1000)).Length < 100);
    }

    [Fact]
    public void Generated_names_are_valid_and_avoid_taken_ones()
    {
        var taken = new HashSet<string>();
        for (var i = 0; i < 20_000; i++)
        {
            var name = NameGenerator.Next(taken.Contains);
            NameRules.CheckName(name);
            Assert.True(taken.Add(name));
        }
    }

    [Fact]
    public void Ids_are_twenty_of_their_alphabet()
    {
        for (var i = 0; i < 1000; i++)
        {
            Assert.Matches("^[a-z0-9]{20}$", SandboxId.New().Value);
        }

        Assert.False(SandboxId.TryParse("ABCDEFGHIJ0123456789", out _));
        Assert.False(SandboxId.TryParse("short", out _));
        Assert.False(SandboxId.TryParse(null, out _));
    }
}
