using System.Text.Json;
using System.Text.RegularExpressions;
using Vivarium.Host.Tests.Support;
using Vivarium.Linux.Processes;

namespace Vivarium.Host.Tests.Sessions;

/// <summary>The example of docs/session-service.md is typed in, and must answer what the page shows.</summary>
[Collection(SessionTests.Name)]
public sealed partial class SessionDocumentTests(SessionDaemon shared) : IAsyncLifetime
{
    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await shared.Daemon.DestroyAllAsync();

    [Fact]
    public async Task The_example_answers_what_the_page_shows()
    {
        var page = Example().Match(await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "session-service.md"), TestContext.Current.CancellationToken));
        Assert.True(page.Success, "the page has an example");
        var script = page.Groups[1].Value.Replace("http://127.0.0.1:7780", shared.Address, StringComparison.Ordinal);
        Assert.Contains(shared.Address, script, StringComparison.Ordinal);
        var typed = await ChildRun.RunAsync(
            "bash",
            ["-ec", script],
            new ChildRunOptions { Env = ["PATH=" + SpawnOptions.DefaultPath, "TOKEN=" + SessionDaemon.Token], Timeout = TimeSpan.FromMinutes(1) },
            TestContext.Current.CancellationToken);
        Assert.True(typed.Succeeded, typed.Summary + typed.StderrText);
        var shown = page.Groups[2].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var printed = typed.StdoutText.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(shown.Length, printed.Length);
        foreach (var (wanted, got) in shown.Zip(printed))
        {
            using var expected = JsonDocument.Parse(wanted);
            using var actual = JsonDocument.Parse(got);
            Assert.All(expected.RootElement.EnumerateObject(), member => Assert.Equal(member.Value.GetRawText(), actual.RootElement.GetProperty(member.Name).GetRawText()));
        }
    }

    [GeneratedRegex(@"<!-- example -->\n```sh\n(.*?)```\n.*?\n```json\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();
}
