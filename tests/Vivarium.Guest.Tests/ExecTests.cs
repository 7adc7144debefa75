using Vivarium.Guest.Tests.Harness;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests;

/// <summary>What running a command means: exit codes, signals, errors, environment, input and output.</summary>
public sealed class ExecTests : IAsyncLifetime
{
    private GuestInstance _guest = null!;

    public async ValueTask InitializeAsync() => _guest = await GuestInstance.StartDirectAsync();

    public ValueTask DisposeAsync() => _guest.DisposeAsync();

    [Fact]
    public async Task A_command_prints_and_exits_with_its_code()
    {
        var exec = await ExecConnection.ShellAsync(_guest, "echo out; echo err >&2; exit 7");
        Assert.Equal("out\n", exec.Stdout);
        Assert.Equal("err\n", exec.Stderr);
        Assert.Equal(7, exec.Exit!.Code);
        Assert.Null(exec.Exit.Signal);
    }

    [Fact]
    public async Task A_signal_is_reported_as_a_signal()
    {
        var exec = await ExecConnection.ShellAsync(_guest, "kill -TERM $$");
        Assert.Null(exec.Exit!.Code);
        Assert.Equal(Signals.SIGTERM, exec.Exit.Signal);
    }

    [Theory]
    [InlineData("no-such-command-anywhere", "command_not_found")]
    [InlineData("/no/such/file", "command_not_found")]
    [InlineData("/etc/passwd", "not_executable")]
    [InlineData("/tmp", "not_executable")]
    public async Task What_cannot_be_run_says_why(string file, string reason)
    {
        await using var exec = await ExecConnection.OpenAsync(_guest, new ExecRequest { Argv = [file] });
        Assert.Equal(reason, exec.Reply.Error?.Reason);
    }

    [Fact]
    public async Task Input_reaches_the_command_and_ends_with_an_empty_frame()
    {
        await using var exec = await ExecConnection.OpenAsync(_guest, new ExecRequest { Argv = ["cat"], Stdin = true });
        await exec.SendInputAsync("hello");
        await exec.SendInputAsync("");
        await exec.FinishAsync();
        Assert.Equal("hello", exec.Stdout);
        Assert.Equal(0, exec.Exit!.Code);
    }
}
