using System.Text;
using Vivarium.Runtimes.Tests.Harness;
using Vivarium.TestKit;
using Vivarium.Transport.Guest;
using Vivarium.Transport.Supervisor;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Tests.Supervision;

public sealed class StreamTests
{
    [Fact]
    public async Task A_ticket_opens_one_connection_to_its_port_only()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        await using var client = await rig.ClientAsync();
        var ticket = (await client.TicketAsync(new TicketParams { Port = GuestPort.Exec }, CancellationToken.None)).Ticket;
        Assert.Equal(0, (await rig.RunAsync(new ExecRequest { Argv = ["/bin/true"] }, ticket)).Exit.Code);
        await RefusedAsync(rig, GuestPort.Exec, ticket);

        var files = (await client.TicketAsync(new TicketParams { Port = GuestPort.Files }, CancellationToken.None)).Ticket;
        await RefusedAsync(rig, GuestPort.Exec, files);
        await RefusedAsync(rig, GuestPort.Files, files); // shown at the wrong door, it is used up
        await RefusedAsync(rig, GuestPort.Exec, "never-issued");
    }

    [Fact]
    public async Task A_ticket_expires()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        await using var client = await rig.ClientAsync();
        var ticket = (await client.TicketAsync(new TicketParams { Port = GuestPort.Exec, TtlMs = 1 }, CancellationToken.None)).Ticket;
        await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        await RefusedAsync(rig, GuestPort.Exec, ticket);
        foreach (var (port, life) in ((int, long)[])[(0, 1000), (70000, 1000), (1025, 0), (1025, 3_600_000)])
        {
            var error = await Assert.ThrowsAsync<VivariumException>(() => client.TicketAsync(new TicketParams { Port = port, TtlMs = life }, CancellationToken.None));
            Assert.Equal(ErrorCode.InvalidArgument, error.Code);
        }
    }

    [Fact]
    public async Task Input_is_half_closed_and_output_still_comes()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        var stream = await SupervisorClient.OpenPortAsync(rig.SocketPath, GuestPort.Exec, null, CancellationToken.None);
        await using var process = await ExecClient.StartAsync(stream, new ExecRequest { Argv = ["/bin/sh", "-c", "wc -c"], Stdin = true }, CancellationToken.None);
        var chunk = new byte[1024 * 1024];
        for (var i = 0; i < 16; i++)
        {
            await process.WriteStdinAsync(chunk);
        }

        await process.CloseStdinAsync();
        using var output = new MemoryStream();
        Assert.Equal(0, (await process.CopyOutputAsync(output, output, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30))).Code);
        Assert.Equal($"{16 * chunk.Length}\n", Encoding.UTF8.GetString(output.ToArray()));
    }

    [Fact]
    public async Task The_death_of_a_client_closes_its_stream()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        await using var client = await rig.ClientAsync();
        var stream = await SupervisorClient.OpenPortAsync(rig.SocketPath, GuestPort.Exec, null, CancellationToken.None);
        await using (await ExecClient.StartAsync(stream, new ExecRequest { Argv = ["/bin/sleep", "1000"], KillOnDisconnect = true }, CancellationToken.None))
        {
            await Eventually.True(async () => (await client.StatusAsync(CancellationToken.None)).OpenStreams == 1);
        }

        await Eventually.True(async () => (await client.StatusAsync(CancellationToken.None)).OpenStreams == 0);
        await Eventually.True(async () => (await client.ProcessesAsync(CancellationToken.None)).Processes.All(static p => p.Status == "exited"));
    }

    [Fact]
    public async Task A_slow_reader_does_not_hold_up_others()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        var stream = await SupervisorClient.OpenPortAsync(rig.SocketPath, GuestPort.Exec, null, CancellationToken.None);
        await using var flood = await ExecClient.StartAsync(stream, new ExecRequest { Argv = ["/bin/yes"], KillOnDisconnect = true }, CancellationToken.None);
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(0, (await rig.ShellAsync("true")).Exit.Code);
        }
    }

    [Fact]
    public async Task Launched_processes_are_logged_with_a_cap_and_their_end_is_told()
    {
        await using var rig = await SupervisorRig.RunningAsync(static spec => spec with { LogMaxBytes = 64 * 1024 });
        var ended = new TaskCompletionSource<SupervisorEvent>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var client = await rig.ClientAsync(change =>
        {
            if (change.Type == "process_exited")
            {
                ended.TrySetResult(change);
            }
        });
        await client.SubscribeAsync(CancellationToken.None);
        var script = "echo first; printf '\\377\\376'; i=0; while [ $i -lt 4000 ]; do echo line-$i-0123456789012345678901234567890123456789; i=$((i+1)); done; exit 5";
        var pid = (await client.LaunchAsync(new LaunchParams { Request = new ExecRequest { Argv = ["/bin/sh", "-c", script] } }, CancellationToken.None)).Pid;
        var end = await ended.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(pid, end.Pid);
        Assert.Equal(5, end.Exit?.Code);

        var log = rig.Log($"process-{pid}.log");
        Assert.InRange(new FileInfo(log).Length, 1, 64 * 1024);
        Assert.InRange(new FileInfo(log + ".1").Length, 1, 64 * 1024);
        Assert.Contains("line-3999-", await File.ReadAllTextAsync(log), StringComparison.Ordinal);
        Assert.Equal(0, (await client.StatusAsync(CancellationToken.None)).RunningProcesses);
    }

    [Fact]
    public async Task What_is_not_text_is_logged_as_base64_and_a_cut_character_is_completed()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        await using var client = await rig.ClientAsync();
        var pid = (await client.LaunchAsync(
            new LaunchParams { Request = new ExecRequest { Argv = ["/bin/sh", "-c", "printf 'a\\303'; sleep 0.2; printf '\\244b'; sleep 0.2; printf '\\377'"] } }, CancellationToken.None)).Pid;
        await Eventually.True(async () => (await client.StatusAsync(CancellationToken.None)).RunningProcesses == 0);
        var lines = (await File.ReadAllLinesAsync(rig.Log($"process-{pid}.log"))).Select(static line => System.Text.Json.JsonDocument.Parse(line).RootElement).ToArray();
        Assert.Equal("aäb", string.Concat(lines.Where(static l => !l.TryGetProperty("b", out _)).Select(static l => l.GetProperty("d").GetString())));
        Assert.Equal("/w==", lines.Single(static l => l.TryGetProperty("b", out _)).GetProperty("d").GetString());
    }

    private static async Task RefusedAsync(SupervisorRig rig, int port, string ticket)
    {
        var error = await Assert.ThrowsAsync<VivariumException>(() => SupervisorClient.OpenPortAsync(rig.SocketPath, port, ticket, CancellationToken.None));
        Assert.Equal(ErrorCode.Unauthenticated, error.Code);
    }
}
