namespace Vivarium.Cli.Tests;

public sealed class LogTests
{
    private const string Records =
        "{\"t\":1767322000001,\"s\":\"stdout\",\"d\":\"one\\n\"}\n{\"t\":1767322000002,\"s\":\"stderr\",\"d\":\"two\\n\"}\n{\"t\":1767322000003,\"s\":\"stdout\",\"d\":\"dGhyZWUK\",\"b\":true}\n";

    [Fact]
    public void Of_a_process_go_to_their_streams()
    {
        using var daemon = Daemon(Records);
        var run = CliRun.Of(daemon, ["logs", "quiet-fox", "17"]);
        Assert.Equal((0, "one\nthree\n", "two\n"), (run.Code, run.Output, run.Errors));
        Assert.StartsWith("""process.logs {"ref":"quiet-fox","pid":17,"offset":0}""", daemon.Asked[0], StringComparison.Ordinal);
    }

    [Fact]
    public void A_tail_with_times()
    {
        using var daemon = Daemon(Records);
        var run = CliRun.Of(daemon, ["logs", "-t", "-n", "2", "quiet-fox", "17"]);
        Assert.Equal(("2026-01-02 02:46:40.003 three\n", "2026-01-02 02:46:40.002 two\n"), (run.Output, run.Errors));
    }

    [Fact]
    public void The_console_is_plain_bytes()
    {
        using var daemon = Daemon("boot\nready\n");
        Assert.Equal("boot\nready\n", CliRun.Of(daemon, ["logs", "quiet-fox"]).Output);
        Assert.Equal("ready\n", CliRun.Of(daemon, ["logs", "-n", "1", "quiet-fox"]).Output);
        Assert.Equal("", CliRun.Of(daemon, ["logs", "-n", "0", "quiet-fox"]).Output);
    }

    [Fact]
    public void Following_waits_in_the_daemon_and_ends_with_the_log()
    {
        var pieces = new Queue<(string Text, bool Ended)>([("a", false), ("", false), ("b", false), ("c", true)]);
        using var daemon = new FakeDaemon().Answer("process.logs", parameters =>
        {
            var (text, ended) = pieces.Dequeue();
            return Reply(text, parameters.GetProperty("offset").GetInt64() + text.Length, ended);
        });
        var run = CliRun.Of(daemon, ["logs", "-f", "quiet-fox"]);
        Assert.Equal((0, "abc"), (run.Code, run.Output));
        Assert.DoesNotContain("wait_ms", daemon.Asked[0], StringComparison.Ordinal);
        Assert.Contains("\"wait_ms\":20000", daemon.Asked[2], StringComparison.Ordinal);
    }

    [Fact]
    public void A_tag_stands_for_its_process()
    {
        using var daemon = Daemon(Records).Answer("process.list", Samples.Processes.Trim());
        Assert.Equal(0, CliRun.Of(daemon, ["logs", "quiet-fox", "web"]).Code);
        Assert.Contains("\"pid\":17", daemon.Asked[1], StringComparison.Ordinal);
        Assert.Equal(125, CliRun.Of(daemon, ["logs", "quiet-fox", "nobody"]).Code);
    }

    /// <summary>The whole log in pieces of seven bytes.</summary>
    private static FakeDaemon Daemon(string log) => new FakeDaemon().Answer("process.logs", parameters =>
    {
        var offset = (int)parameters.GetProperty("offset").GetInt64();
        var piece = log.Substring(offset, Math.Min(7, log.Length - offset));
        return Reply(piece, offset + piece.Length, ended: false);
    });

    private static string Reply(string text, long next, bool ended) =>
        $$"""
        "result":{"data":"{{Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(text))}}","next_offset":{{next}},"ended":{{(ended ? "true" : "false")}}}
        """;
}
