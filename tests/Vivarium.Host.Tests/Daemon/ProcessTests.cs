using System.Text;
using System.Text.Json;
using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;
using Vivarium.Transport.Host;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Daemon;

[Collection(DaemonTests.Name)]
public sealed class ProcessTests(SharedDaemon shared) : IClassFixture<SharedDaemon>, IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private HostClient client = null!;

    private TestDaemon Daemon => shared.Daemon;

    public async ValueTask InitializeAsync()
    {
        client = await Daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "box" }, None);
    }

    public async ValueTask DisposeAsync()
    {
        await client.DestroyAsync(new DestroyParams { Ref = "box", Force = true, Now = true }, None);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task Exit_codes_signals_and_both_streams_come_back()
    {
        var failed = await Daemon.RunAsync("box", "sh", "-c", "echo out; echo err >&2; exit 7");
        Assert.Equal((7, "out\n", "err\n"), (failed.Exit.Code, Text(failed.Stdout), Text(failed.Stderr)));
        var killed = await Daemon.RunAsync("box", "sh", "-c", "kill -9 $$");
        Assert.Equal(9, killed.Exit.Signal);
        Assert.Equal("command_not_found", (await Assert.ThrowsAsync<VivariumException>(() => Daemon.RunAsync("box", "no-such-command"))).Reason);
    }

    [Fact]
    public async Task Input_is_handed_in_and_ends()
    {
        var reply = await client.ExecAsync(new RunParams { Ref = "box", Request = new ExecRequest { Argv = ["cat"] }, Stdin = Convert.ToBase64String("hello"u8) }, None);
        Assert.Equal("hello", Text(reply.Stdout));
    }

    [Fact]
    public async Task Long_output_is_cut_in_the_middle_and_counted()
    {
        var reply = await client.ExecAsync(
            new RunParams { Ref = "box", Request = new ExecRequest { Argv = ["sh", "-c", "echo begin; yes | head -c 3000000; echo end"] }, MaxOutputBytes = 1000 }, None);
        var text = Text(reply.Stdout);
        Assert.Equal(1000, text.Length);
        Assert.StartsWith("begin\n", text, StringComparison.Ordinal);
        Assert.EndsWith("end\n", text, StringComparison.Ordinal);
        Assert.Equal(3_000_010 - 1000, reply.StdoutCut);
    }

    [Fact]
    public async Task What_exec_cannot_do_is_refused()
    {
        async Task Refused(RunParams p) => Assert.Equal(ErrorCode.InvalidArgument, (await Assert.ThrowsAsync<VivariumException>(() => client.ExecAsync(p, None))).Code);
        await Refused(new RunParams { Ref = "box", Request = new ExecRequest { Argv = ["sh"], Tty = new TtySize { Cols = 80, Rows = 24 } } });
        await Refused(new RunParams { Ref = "box", Request = new ExecRequest { Attach = new ExecAttach { Pid = 2 } } });
        await Refused(new RunParams { Ref = "box", Request = new ExecRequest { Argv = ["true"] }, Stdin = "not base64!" });
        await Refused(new RunParams { Ref = "box", Request = new ExecRequest { Argv = ["true"] }, MaxOutputBytes = 11 * 1024 * 1024 });
    }

    [Fact]
    public async Task Three_hundred_at_once_all_answer()
    {
        var replies = await Task.WhenAll(Enumerable.Range(0, 300).Select(i => client.ExecAsync(
            new RunParams { Ref = "box", Request = new ExecRequest { Argv = ["echo", i.ToString(System.Globalization.CultureInfo.InvariantCulture)] } }, None)));
        Assert.Equal(Enumerable.Range(0, 300).Select(static i => $"{i}\n"), replies.Select(static r => Text(r.Stdout)));
    }

    [Fact]
    public async Task A_caller_that_leaves_does_not_end_its_command()
    {
        await using (var leaving = await Daemon.ConnectAsync())
        {
            _ = leaving.ExecAsync(new RunParams { Ref = "box", Request = new ExecRequest { Argv = ["sh", "-c", "sleep 0.5; echo done > /root/left"] } }, None);
            await Eventually.True(async () => (await client.ProcessesAsync("box", None)).Processes.Any(static p => p.Status == "running"));
        }

        await Eventually.True(async () => (await Daemon.RunAsync("box", "cat", "/root/left")).Exit.Code == 0);
    }

    [Fact]
    public async Task A_launched_process_is_listed_logged_followed_and_killed()
    {
        var launched = await client.LaunchAsync(
            new LaunchProcessParams { Ref = "box", Request = new ExecRequest { Argv = ["sh", "-c", "echo first; sleep 0.3; echo second; sleep 1000"], Tag = "work" } }, None);
        var listed = Assert.Single((await client.ProcessesAsync("box", None)).Processes, p => p.Pid == launched.Pid);
        Assert.Equal(("running", "work"), (listed.Status, listed.Tag));

        var lines = new List<string>();
        var offset = 0L;
        while (lines.Count < 2)
        {
            var piece = await client.LogsAsync(new LogsParams { Ref = "box", Pid = launched.Pid, Offset = offset, WaitMs = 10_000 }, None);
            Assert.False(piece.Ended);
            lines.AddRange(Text(piece.Data).Split('\n', StringSplitOptions.RemoveEmptyEntries));
            offset = piece.NextOffset;
        }

        Assert.Equal(["first\n", "second\n"], lines.Select(static l => JsonDocument.Parse(l).RootElement.GetProperty("d").GetString()));
        await client.KillAsync(new KillParams { Ref = "box", Tag = "work", Signal = 9 }, None);
        await Eventually.True(async () => (await client.LogsAsync(new LogsParams { Ref = "box", Pid = launched.Pid, Offset = offset }, None)).Ended);
        Assert.Equal("no_such_log", (await Assert.ThrowsAsync<VivariumException>(() => client.LogsAsync(new LogsParams { Ref = "box", Pid = 4_000_000 }, None))).Reason);
    }

    [Fact]
    public async Task The_console_log_is_readable_after_the_end()
    {
        await client.StopAsync(new StopSandboxParams { Ref = "box", Force = true }, None);
        var log = await client.LogsAsync(new LogsParams { Ref = "box" }, None);
        Assert.True(log.Ended);
        Assert.Contains("viv-guest", Text(log.Data), StringComparison.Ordinal);
        await client.StartAsync("box", None);
    }

    [Fact]
    public async Task A_ticket_opens_a_port_at_the_supervisor_once()
    {
        var ticket = await client.TicketAsync(new SandboxTicketParams { Ref = "box", Port = GuestPort.Exec }, None);
        Assert.True(File.Exists(ticket.Socket));
        await using var stream = await Transport.Supervisor.SupervisorClient.OpenPortAsync(ticket.Socket, GuestPort.Exec, ticket.Ticket, None);
        await using var exec = await Transport.Guest.ExecClient.StartAsync(stream, new ExecRequest { Argv = ["true"] }, None);
        using var output = new MemoryStream();
        Assert.Equal(0, (await exec.CopyOutputAsync(output, output, None)).Code);
    }

    private static string Text(string base64) => Encoding.UTF8.GetString(Convert.FromBase64String(base64));
}
