using System.Text.Json;
using Vivarium.Guest.Tests.Harness;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests;

/// <summary>Port 1024, byte for byte where the StereOS protocol fixes the bytes.</summary>
public sealed class ControlTests : IAsyncLifetime
{
    private GuestInstance _guest = null!;

    public async ValueTask InitializeAsync() => _guest = await GuestInstance.StartDirectAsync();

    public ValueTask DisposeAsync() => _guest.DisposeAsync();

    [Fact]
    public async Task Answers_have_the_bytes_an_old_client_expects()
    {
        await using var control = await ControlConnection.OpenAsync(_guest);
        Assert.Equal("""{"type":"pong"}""", await control.AskAsync("""{"type":"ping"}"""));
        Assert.StartsWith("""{"type":"health","payload":{"state":"ready","uptime_seconds":""", await control.AskAsync("""{"type":"get_health"}"""), StringComparison.Ordinal);
        Assert.Equal(
            """{"type":"ack","payload":{"reply_to":"set_config","ok":true}}""",
            await control.AskAsync("""{"type":"set_config","payload":{"content":"a = 1\n"}}"""));
        Assert.Equal(
            """{"type":"ack","payload":{"reply_to":"dance","ok":false,"error":"unknown message type: dance"}}""",
            await control.AskAsync("""{"type":"dance"}"""));
        Assert.StartsWith(
            """{"type":"ack","payload":{"reply_to":"mount","ok":false,"error":"decode mount payload: envelope mount has no payload""",
            await control.AskAsync("""{"type":"mount"}"""),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Malformed_lines_are_answered_and_the_connection_stays()
    {
        await using var control = await ControlConnection.OpenAsync(_guest);
        foreach (var line in (string[])["{", "not json", "[]", "null", "{\"type\":5}", "{\"payload\":{}}", "\u0001\u0002", "{\"type\":\"ping\",\"payload\":" + new string('[', 200) + "}"])
        {
            var answer = await control.AskAsync(line);
            Assert.StartsWith("""{"type":"ack","payload":{"reply_to":"","ok":false,"error":"malformed JSON""", answer, StringComparison.Ordinal);
        }

        await control.SendAsync("");
        await control.SendAsync("   ");
        Assert.Contains("ack", (await control.ReceiveAsync())!, StringComparison.Ordinal);
        Assert.Equal("""{"type":"pong"}""", await control.AskAsync("""{"type":"ping"}"""));
    }

    [Fact]
    public async Task An_id_comes_back()
    {
        await using var control = await ControlConnection.OpenAsync(_guest);
        Assert.Equal("""{"type":"pong","id":"abc"}""", await control.AskAsync("""{"type":"ping","id":"abc"}"""));
    }

    [Fact]
    public async Task A_line_beyond_a_mebibyte_ends_that_connection_only()
    {
        await using var control = await ControlConnection.OpenAsync(_guest);
        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            await control.Stream.WriteAsync(new byte[3 * 1024 * 1024]).AsTask().WaitAsync(GuestInstance.Deadline);
            Assert.NotNull(await control.ReceiveAsync());
        });
        Assert.Equal("""{"type":"pong"}""", await _guest.AskAsync("""{"type":"ping"}"""));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("..")]
    [InlineData(".hidden")]
    [InlineData("/etc/passwd")]
    [InlineData("new\nline")]
    public async Task Secret_names_are_simple_file_names(string name)
    {
        var answer = await SecretAsync(name, "x", null);
        Assert.Contains("\"ok\":false", answer, StringComparison.Ordinal);
        Assert.Contains("must be a simple filename", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_secret_is_a_private_file_and_never_logged()
    {
        Assert.Equal("""{"type":"ack","payload":{"reply_to":"inject_secret","ok":true}}""", await SecretAsync("API_KEY", "sk-first-value", null));
        Assert.Contains("\"ok\":true", await SecretAsync("API_KEY", "sk-second-value", 0x1A4), StringComparison.Ordinal);
        var directory = await RunDirectoryAsync();
        Assert.Equal("sk-second-value", await File.ReadAllTextAsync(Path.Combine(directory, "secrets", "API_KEY")));
        Assert.Equal((UnixFileMode)0x1A4, File.GetUnixFileMode(Path.Combine(directory, "secrets", "API_KEY")));
        Assert.Equal((UnixFileMode)0x1C0, File.GetUnixFileMode(Path.Combine(directory, "secrets")));
        Assert.Single(Directory.GetFiles(Path.Combine(directory, "secrets")));
        await _guest.AskAsync("""{"type":"shutdown"}""");
        await _guest.Exited.WaitAsync(GuestInstance.Deadline);
        Assert.DoesNotContain("sk-", await _guest.ConsoleAsync(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(directory));
    }

    [Theory]
    [InlineData("/", "system path")]
    [InlineData("/etc/x", "system path")]
    [InlineData("/usr", "system path")]
    [InlineData("/lib64/y", "system path")]
    [InlineData("/run/vivarium", "system path")]
    [InlineData("/nix/store", "system path")]
    [InlineData("relative", "absolute")]
    [InlineData("/a/../etc", "absolute")]
    [InlineData("/a//b", "absolute")]
    [InlineData("", "needs tag")]
    [InlineData("/workspace", "shares the machine")]
    public async Task Mounts_that_must_not_be_are_refused(string path, string because)
    {
        var answer = await _guest.AskAsync(ControlLine.Of(
            ControlType.Mount, new MountPayload { Tag = "share0", GuestPath = path, FsType = "9p" }, GuestJson.Default.MountPayload));
        Assert.Contains("\"ok\":false", answer, StringComparison.Ordinal);
        Assert.Contains(because, answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Shutdown_is_answered_then_done_and_lifecycle_is_pushed()
    {
        await using var listening = await ControlConnection.OpenAsync(_guest);
        await listening.AskAsync("""{"type":"ping"}""");
        var exec = await ExecConnection.OpenAsync(_guest, new ExecRequest { Argv = ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"] });
        await exec.UntilAsync("up");
        Assert.Equal("""{"type":"ack","payload":{"reply_to":"shutdown","ok":true}}""", await _guest.AskAsync("""{"type":"shutdown","payload":{"reason":"test"}}"""));
        Assert.StartsWith("""{"type":"lifecycle","payload":{"state":"shutdown","message":""", await listening.ReceiveAsync(), StringComparison.Ordinal);
        var exit = await _guest.Exited.WaitAsync(GuestInstance.Deadline);
        Assert.Equal(0, exit.Code);
    }

    [Fact]
    public async Task A_host_that_goes_away_ends_the_guest_and_all_it_started()
    {
        await using var exec = await ExecConnection.OpenAsync(_guest, new ExecRequest { Argv = ["sh", "-c", "trap '' TERM HUP; echo $$; while :; do sleep 0.1; done"] });
        await exec.UntilAsync("\n");
        var pid = exec.Pid;
        await _guest.Session.DisposeAsync();
        var exit = await _guest.Exited.WaitAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(1, exit.Code);
        Assert.False(Directory.Exists($"/proc/{pid}"));
    }

    [Fact]
    public async Task Quiesced_it_starts_nothing_until_thawed()
    {
        Assert.Contains("\"ok\":true", await _guest.AskAsync("""{"type":"quiesce"}"""), StringComparison.Ordinal);
        await using (var refused = await ExecConnection.OpenAsync(_guest, new ExecRequest { Argv = ["true"] }))
        {
            Assert.Equal("failed_precondition", refused.Reply.Error?.Code);
        }

        Assert.Contains("\"ok\":true", await _guest.AskAsync("""{"type":"thaw"}"""), StringComparison.Ordinal);
        Assert.Equal(0, (await ExecConnection.RunAsync(_guest, new ExecRequest { Argv = ["true"] })).Exit!.Code);
    }

    [Fact]
    public async Task Resumed_checks_what_it_is_given()
    {
        Assert.Contains("\"ok\":true", await _guest.AskAsync("""{"type":"resumed","payload":{"unix_time_ms":1795400000000,"hostname":"fork-2"}}"""), StringComparison.Ordinal);
        Assert.Contains("machine id", await _guest.AskAsync("""{"type":"resumed","payload":{"machine_id":"XYZ"}}"""), StringComparison.Ordinal);
        Assert.Contains("entropy", await _guest.AskAsync("""{"type":"resumed","payload":{"entropy":"AAAA"}}"""), StringComparison.Ordinal);
        Assert.Contains("host name", await _guest.AskAsync("""{"type":"resumed","payload":{"hostname":"no/slash"}}"""), StringComparison.Ordinal);
        Assert.Contains("name server", await _guest.AskAsync("""{"type":"resumed","payload":{"nameservers":["evil\nline"]}}"""), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_push_of_the_hosts_count_turns_a_kill_into_an_oom()
    {
        await using var exec = await ExecConnection.OpenAsync(_guest, new ExecRequest { Argv = ["sh", "-c", "echo up; kill -9 $$"], Stdin = true });
        await _guest.AskAsync("""{"type":"oom","payload":{"kills":1}}""");
        await exec.FinishAsync();
        Assert.Equal(9, exec.Exit!.Signal);
        var plain = await ExecConnection.ShellAsync(_guest, "kill -9 $$");
        Assert.Null(plain.Exit!.Oom);
    }

    [Fact]
    public async Task Stats_say_what_is_known()
    {
        using var json = JsonDocument.Parse(await _guest.AskAsync("""{"type":"stats"}"""));
        var stats = json.RootElement.GetProperty("payload").Deserialize(GuestJson.Default.GuestStats)!;
        Assert.True(stats.UptimeMs >= 0);
        Assert.Equal(0, stats.Processes);
        Assert.True(stats.DiskTotalBytes > stats.DiskUsedBytes);
        Assert.Equal(3, stats.Load!.Count);
    }

    private Task<string> SecretAsync(string name, string value, int? mode) => _guest.AskAsync(ControlLine.Of(
        ControlType.InjectSecret, new InjectSecretPayload { Name = name, Value = value, Mode = mode }, GuestJson.Default.InjectSecretPayload));

    /// <summary>The agent's own directory, found by the configuration it is told to keep there.</summary>
    private async Task<string> RunDirectoryAsync()
    {
        var mark = Guid.NewGuid().ToString("N");
        await _guest.AskAsync(ControlLine.Of(ControlType.SetConfig, new SetConfigPayload { Content = mark }, GuestJson.Default.SetConfigPayload));
        return Directory.GetDirectories("/dev/shm", "viv-guest-*")
            .First(directory => File.Exists(Path.Combine(directory, "config")) && File.ReadAllText(Path.Combine(directory, "config")) == mark);
    }
}
