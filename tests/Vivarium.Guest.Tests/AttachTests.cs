using System.Text;
using Vivarium.Guest.Tests.Harness;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests;

/// <summary>Joining a process: replay from an offset, several at once, late ones, slow ones, ended ones.</summary>
public sealed class AttachTests : IAsyncLifetime
{
    private GuestInstance _guest = null!;

    public async ValueTask InitializeAsync() => _guest = await GuestInstance.StartDirectAsync();

    public ValueTask DisposeAsync() => _guest.DisposeAsync();

    [Fact]
    public async Task A_second_connection_sees_everything_from_the_start()
    {
        await using var first = await ExecConnection.OpenAsync(_guest, new ExecRequest { Argv = ["sh", "-c", "echo one; read x; echo got $x"], Stdin = true, Tag = "shared" });
        await first.UntilAsync("one");
        await using var second = await AttachAsync(new ExecAttach { Tag = "shared" });
        Assert.Equal(0, second.Reply.Offset);
        await second.SendInputAsync("word\n");
        await first.FinishAsync();
        await second.FinishAsync();
        Assert.Equal("one\ngot word\n", first.Stdout);
        Assert.Equal("one\ngot word\n", second.Stdout);
    }

    [Fact]
    public async Task An_offset_skips_what_was_seen_and_minus_one_all()
    {
        await using var first = await ExecConnection.OpenAsync(_guest, new ExecRequest { Argv = ["sh", "-c", "echo one; read x; echo two"], Stdin = true });
        await first.UntilAsync("one");
        await using var part = await AttachAsync(new ExecAttach { Pid = first.Pid, Offset = 2 });
        await using var none = await AttachAsync(new ExecAttach { Pid = first.Pid, Offset = -1, ReadOnly = true });
        Assert.Equal(2, part.Reply.Offset);
        Assert.Equal(4, none.Reply.Offset);
        await first.SendInputAsync("\n");
        await part.FinishAsync();
        await none.FinishAsync();
        Assert.Equal("e\ntwo\n", part.Stdout);
        Assert.Equal("two\n", none.Stdout);
    }

    [Fact]
    public async Task An_ended_process_is_replayed_with_its_exit()
    {
        var exec = await ExecConnection.RunAsync(_guest, new ExecRequest { Argv = ["sh", "-c", "echo bye; exit 3"] });
        await using var late = await AttachAsync(new ExecAttach { Pid = exec.Pid });
        await late.FinishAsync();
        Assert.Equal("bye\n", late.Stdout);
        Assert.Equal(3, late.Exit!.Code);
    }

    [Fact]
    public async Task Without_a_connection_the_process_never_blocks_and_the_ring_keeps_the_last_megabyte()
    {
        var exec = await ExecConnection.OpenAsync(_guest, new ExecRequest
        {
            Argv = ["sh", "-c", "read x; dd if=/dev/zero bs=1048576 count=20 2>/dev/null; echo last"],
            Stdin = true,
            Tag = "alone",
        });
        await exec.SendInputAsync("\n");
        await exec.DisposeAsync();
        await using var late = await AttachAsync(new ExecAttach { Tag = "alone", Offset = 0 });
        await late.FinishAsync();
        Assert.EndsWith("last\n", late.Stdout, StringComparison.Ordinal);
        Assert.True(late.Reply.Lost >= 0);
        Assert.InRange(late.Stdout.Length + late.Reply.Lost!.Value, 20 * 1048576 + 5, 20 * 1048576 + 5);
    }

    [Fact]
    public async Task A_slow_reader_holds_up_its_own_process_only()
    {
        await using var stuck = await ExecConnection.OpenAsync(_guest, new ExecRequest { Argv = ["sh", "-c", "yes"], KillOnDisconnect = true });
        for (var i = 0; i < 20; i++)
        {
            var quick = await ExecConnection.ShellAsync(_guest, "echo quick; dd if=/dev/zero bs=65536 count=16 2>/dev/null");
            Assert.StartsWith("quick\n", quick.Stdout, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_stuck_reader_does_not_hide_the_end_of_its_process()
    {
        await using var stuck = await ExecConnection.OpenAsync(_guest, new ExecRequest { Argv = ["sh", "-c", "yes"], Tag = "stuck" });
        var kill = ControlLine.Of(ControlType.KillProcess, new KillProcessPayload { Tag = "stuck", Signal = 9 }, GuestJson.Default.KillProcessPayload);
        Assert.Contains("\"ok\":true", await _guest.AskAsync(kill), StringComparison.Ordinal);
        await using var other = await AttachAsync(new ExecAttach { Tag = "stuck", Offset = -1 });
        await other.FinishAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(9, other.Exit!.Signal);
        await stuck.FinishAsync();
        Assert.Equal(9, stuck.Exit!.Signal);
    }

    [Fact]
    public async Task Only_looking_cannot_type()
    {
        await using var first = await ExecConnection.OpenAsync(_guest, new ExecRequest { Argv = ["cat"], Stdin = true, KillOnDisconnect = true });
        await using var looking = await AttachAsync(new ExecAttach { Pid = first.Pid, ReadOnly = true });
        await looking.SendInputAsync("x");
        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            using var deadline = new CancellationTokenSource(GuestInstance.Deadline);
            while (await looking.ReadFrameAsync(deadline.Token))
            {
            }

            throw new EndOfStreamException();
        });
        await first.SendInputAsync("still here\n");
        await first.UntilAsync("still here");
        Assert.Equal("still here\n", first.Stdout);
    }

    [Fact]
    public async Task A_process_that_does_not_read_still_gets_its_signals()
    {
        await using var exec = await ExecConnection.OpenAsync(_guest, new ExecRequest { Argv = ["sleep", "60"], Stdin = true });
        var half = new byte[256 * 1024];
        Encoding.ASCII.GetBytes("x").CopyTo(half, 0);
        await exec.SendAsync(ExecChannel.Stdin, half);
        await exec.SendControlAsync(new ExecControl { Type = "signal", Signal = 15 });
        await exec.FinishAsync();
        Assert.Equal(15, exec.Exit!.Signal);
    }

    private async Task<ExecConnection> AttachAsync(ExecAttach attach)
    {
        var exec = await ExecConnection.OpenAsync(_guest, new ExecRequest { Attach = attach });
        Assert.True(exec.Reply.Error is null, exec.Reply.Error?.Message);
        return exec;
    }
}
