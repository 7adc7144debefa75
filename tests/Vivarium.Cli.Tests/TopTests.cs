namespace Vivarium.Cli.Tests;

/// <summary><c>viv top</c> off a terminal.</summary>
public sealed class TopTests
{
    private const string Lazy = """{"cpu_us":1000000,"memory_bytes":1048576,"memory_limit_bytes":134217728,"pids":3,"pids_limit":64}""";

    internal static FakeDaemon Daemon() => new FakeDaemon().Answer("sandbox.list", Samples.List).Answer("sandbox.stats", Lazy);

    [Theory]
    [InlineData("top --once --sort name", "top")]
    [InlineData("top --json --sort name", "top-json")]
    public void Is_stable(string line, string golden)
    {
        using var daemon = Daemon();
        var run = CliRun.Of(daemon, line.Split(' '));
        Golden.Check($"output/{golden}.txt", $"$ viv {line}\n{run.Output}{run.Errors}--- exit code {run.Code}\n");
    }

    [Fact]
    public void Is_sorted_as_asked_for_and_a_sandbox_that_ended_meanwhile_is_no_error()
    {
        using var daemon = Daemon().Refuse("sandbox.stats", """{"code":"not_found","message":"gone"}""");
        var run = CliRun.Of(daemon, ["top", "--sort", "age"]);
        Assert.Equal(0, run.Code);
        Assert.True(run.Output.IndexOf("old-owl", StringComparison.Ordinal) < run.Output.IndexOf("quiet-fox", StringComparison.Ordinal), run.Output);
        run = CliRun.Of(daemon, ["top", "--sort", "age", "--reverse"]);
        Assert.True(run.Output.IndexOf("quiet-fox", StringComparison.Ordinal) < run.Output.IndexOf("old-owl", StringComparison.Ordinal), run.Output);
        Assert.Equal(125, CliRun.Of(daemon, ["top", "--sort", "colour"]).Code);
    }
}
