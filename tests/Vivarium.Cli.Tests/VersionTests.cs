namespace Vivarium.Cli.Tests;

/// <summary><c>viv version</c> after an upgrade.</summary>
public sealed class VersionTests
{
    [Fact]
    public void Version_names_what_is_of_another()
    {
        using var daemon = new FakeDaemon().Answer("system.version", """{"version":"0.0.9","api":1,"pid":4242}""")
            .Answer("sandbox.list", Samples.List.Replace("\"supervisor_pid\"", "\"supervisor_version\":\"0.0.8\",\"supervisor_pid\"", StringComparison.Ordinal));
        var run = CliRun.Of(daemon, ["version"]);
        Assert.Equal(0, run.Code);
        Assert.Contains("daemon 0.0.9 (process 4242, API 1)\n  another version than viv", run.Output, StringComparison.Ordinal);
        Assert.Contains("supervisor 0.0.8 of 1 running sandbox,", run.Output, StringComparison.Ordinal);
        Assert.Contains("\"0.0.8\": 1", CliRun.Of(daemon, ["version", "--json"]).Output, StringComparison.Ordinal);
    }
}
