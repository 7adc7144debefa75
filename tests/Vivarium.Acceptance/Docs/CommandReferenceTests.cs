using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Docs;

/// <summary>The command reference is viv's own help, word for word.</summary>
public sealed class CommandReferenceTests
{
    [Fact]
    public async Task The_reference_is_up_to_date()
    {
        var made = (await Tools.RunAsync(Path.Combine(Checkout.Root, "eng", "cli-reference.sh"))).StdoutText;
        var written = await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "docs", "cli.md"), TestContext.Current.CancellationToken);
        Assert.True(made == written, "docs/cli.md is not what viv's help says now; run eng/cli-reference.sh --write and look at the difference");
    }
}
