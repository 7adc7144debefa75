using Vivarium.Acceptance.Harness;
using Vivarium.Linux.Processes;

namespace Vivarium.Acceptance.Docs;

/// <summary>Every example in the README and in docs/ is typed in, and must print what the page shows.</summary>
[Collection(BaseCollection.Name)]
public sealed class DocumentedExamplesTests(PrivateBaseDaemon daemon) : VivTest(daemon)
{
    public static TheoryData<string> Documents => new(
        Directory.EnumerateFiles(Path.Combine(Checkout.Root, "docs"), "*.md", SearchOption.AllDirectories)
            .Append(Path.Combine(Checkout.Root, "README.md"))
            .Where(f => File.ReadAllText(f).Contains("```console", StringComparison.Ordinal))
            .Select(f => Path.GetRelativePath(Checkout.Root, f))
            .Order(StringComparer.Ordinal));

    [Theory, MemberData(nameof(Documents))]
    public async Task Examples_print_what_the_page_shows(string document)
    {
        // The examples say ./viv or viv; both are the native program here, and the shell stands in a scratch copy of what they use.
        var scratch = Directory.CreateDirectory(Path.Combine(Daemon.Home, "docs")).FullName;
        File.CreateSymbolicLink(Path.Combine(scratch, "viv"), Checkout.Viv);
        try
        {
            foreach (var block in ConsoleBlock.Read(document, await File.ReadAllTextAsync(Path.Combine(Checkout.Root, document), TestContext.Current.CancellationToken)))
            {
                foreach (var step in block.Steps)
                {
                    var output = await ChildRun.RunAsync(
                        "bash",
                        ["-c", step.Command + " 2>&1"],
                        new ChildRunOptions { Cwd = scratch, Env = [.. Viv.Environment.Where(e => !e.StartsWith("PATH=", StringComparison.Ordinal)), $"PATH={scratch}:{SpawnOptions.DefaultPath}"], Timeout = TimeSpan.FromMinutes(1) },
                        TestContext.Current.CancellationToken);
                    Assert.False(output.TimedOut, $"{document}:{block.Line}: $ {step.Command}: no end within a minute");
                    Assert.True(step.Matches(output.StdoutText), $"{document}:{block.Line}: $ {step.Command}\nshows:\n{string.Join('\n', step.Output)}\nprints:\n{output.StdoutText}");
                    Assert.True(step.Output.Count > 0 || output.Exit.Code == 0, $"{document}:{block.Line}: $ {step.Command}: {output.Summary}\n{output.StdoutText}");
                }
            }
        }
        finally
        {
            await Viv.TryAsync(["rm", "-f", .. (await Daemon.ListAsync()).Select(s => s.GetProperty("id").GetString()!)]);
            Directory.Delete(scratch, recursive: true);
        }
    }
}
