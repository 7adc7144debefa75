using Vivarium.Linux.Processes;

namespace Vivarium.Storage.Tests;

/// <summary>Runs a line of shell and gives its output; a failure fails the test with what it said.</summary>
internal static class Shell
{
    public static async Task<string> RunAsync(string script)
    {
        var output = await ChildRun.RunAsync("sh", ["-ec", script], new ChildRunOptions { Timeout = TimeSpan.FromMinutes(2) }, CancellationToken.None);
        Assert.True(output.Succeeded, $"{script}: {output.Summary}\n{output.StderrText}");
        return output.StdoutText;
    }
}
