using System.Text.RegularExpressions;
using Vivarium.Host.Tests.Sessions;
using Vivarium.Host.Tests.Support;

namespace Vivarium.Host.Tests.Client;

/// <summary>The examples of the client's README are those that are compiled and run here.</summary>
[Collection(SessionTests.Name)]
public sealed partial class ReadmeTests(SessionDaemon shared) : IAsyncLifetime
{
    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await shared.Daemon.DestroyAllAsync();

    [Theory]
    [InlineData("native")]
    [InlineData("sessions")]
    public void The_page_shows_what_is_compiled(string name)
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "src", "Vivarium.Client", "README.md"));
        var code = File.ReadAllText(Path.Combine(Repository.Root, "tests", "Vivarium.Host.Tests", "Client", "ReadmeExamples.cs"));
        var shown = Regex.Match(page, $@"<!-- example: {name} -->\n```csharp\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;
        var compiled = Regex.Match(code, $@"// begin: {name}\n(.*?)\n *// end", RegexOptions.Singleline).Groups[1].Value;
        Assert.NotEqual("", shown);
        Assert.Equal(
            shown.Trim().Replace("ConnectAsync()", "ConnectAsync(socket)", StringComparison.Ordinal).Replace("new Uri(\"http://127.0.0.1:7780\")", "new Uri(address)", StringComparison.Ordinal),
            Indentation().Replace(compiled, "").Trim());
    }

    [Fact]
    public async Task They_do_what_they_say()
    {
        using var output = new StringWriter();
        var examples = new ReadmeExamples(output, shared.Daemon.Socket, shared.Address, SessionDaemon.Token);
        await examples.NativeAsync();
        Assert.Equal("exit 0, 2 lines\nbuy milk\n\n", output.ToString());
        output.GetStringBuilder().Clear();
        await examples.SessionsAsync();
        Assert.Equal("one\ntwo\nexit 0\nturn-0001\n", output.ToString());
        Assert.Empty(await shared.Daemon.ListAsync());
    }

    [GeneratedRegex("^        ", RegexOptions.Multiline)]
    private static partial Regex Indentation();
}
