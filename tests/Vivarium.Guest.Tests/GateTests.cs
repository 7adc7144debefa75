using System.Text;
using Vivarium.Guest.Tests.Harness;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests;

/// <summary>Before the host has proved itself, and against one that misbehaves: nothing is given, nothing breaks.</summary>
public sealed class GateTests
{
    [Fact]
    public async Task Without_hello_only_ping_is_answered()
    {
        await using var guest = await GuestInstance.StartDirectAsync(hello: false);
        Assert.Equal("""{"type":"pong"}""", await guest.AskAsync("""{"type":"ping"}"""));
        foreach (var line in (string[])["""{"type":"get_health"}""", """{"type":"processes"}""", """{"type":"shutdown"}""", """{"type":"inject_secret","payload":{"name":"a","value":"b"}}"""])
        {
            Assert.Contains("\"ok\":false,\"error\":\"say hello", await guest.AskAsync(line), StringComparison.Ordinal);
        }

        await AssertRefusedAsync(guest, GuestPort.Exec);
        await AssertRefusedAsync(guest, GuestPort.Files);
    }

    [Theory]
    [InlineData("")]
    [InlineData("00000000000000000000000000000000")]
    [InlineData("short")]
    public async Task A_wrong_token_opens_nothing(string token)
    {
        await using var guest = await GuestInstance.StartDirectAsync(hello: false);
        var answer = await guest.AskAsync(ControlLine.Hello(token));
        Assert.Contains("\"ok\":false", answer, StringComparison.Ordinal);
        Assert.DoesNotContain(guest.Token, answer, StringComparison.Ordinal);
        await AssertRefusedAsync(guest, GuestPort.Exec);
        Assert.Contains("\"type\":\"hello\"", await guest.AskAsync(ControlLine.Hello(guest.Token)), StringComparison.Ordinal);
        await using var exec = await ExecConnection.OpenAsync(guest, new ExecRequest { Argv = ["true"] });
        Assert.Null(exec.Reply.Error);
    }

    [Fact]
    public async Task Unknown_ports_are_refused()
    {
        await using var guest = await GuestInstance.StartDirectAsync();
        foreach (var port in (int[])[0, 1, 22, 80, 1023, 1029, 65535])
        {
            await AssertRefusedAsync(guest, port);
        }
    }

    [Fact]
    public async Task Garbage_on_every_port_ends_its_own_connection_only()
    {
        await using var guest = await GuestInstance.StartDirectAsync();
        var random = new Random(20261123);
        for (var round = 0; round < 40; round++)
        {
            var port = random.Next(GuestPort.Control, GuestPort.Forward + 1);
            await using var stream = await guest.ConnectAsync(port);
            var garbage = new byte[random.Next(1, 70_000)];
            random.NextBytes(garbage);
            try
            {
                await stream.WriteAsync(garbage).AsTask().WaitAsync(GuestInstance.Deadline);
                await stream.CompleteWritesAsync();
                var buffer = new byte[4096];
                while (await stream.ReadAsync(buffer).AsTask().WaitAsync(GuestInstance.Deadline) > 0)
                {
                }
            }
            catch (IOException)
            {
                // A reset is a good answer.
            }
            catch (TimeoutException)
            {
                Assert.Fail($"round {round}: port {port} does not answer {garbage.Length} bytes: {Convert.ToHexString(garbage.AsSpan(0, 16))}");
            }
        }

        Assert.Equal("""{"type":"pong"}""", await guest.AskAsync("""{"type":"ping"}"""));
    }

    [Theory]
    [InlineData(9, 0, 0, 0, 1)]
    [InlineData(1, 0, 0, 0, 1)]
    [InlineData(0, 255, 255, 255, 255)]
    [InlineData(4, 0, 16, 0, 0)]
    [InlineData(4, 0, 0, 0, 3)]
    public async Task A_wrong_frame_ends_the_connection_and_not_the_process(byte channel, byte a, byte b, byte c, byte d)
    {
        await using var guest = await GuestInstance.StartDirectAsync();
        await using (var exec = await ExecConnection.OpenAsync(guest, new ExecRequest { Argv = ["sleep", "30"], Stdin = true, Tag = "victim" }))
        {
            await exec.SendRawAsync([channel, a, b, c, d, .. "xyz"u8]);
            await Assert.ThrowsAnyAsync<IOException>(async () =>
            {
                using var deadline = new CancellationTokenSource(GuestInstance.Deadline);
                while (await exec.ReadFrameAsync(deadline.Token))
                {
                }

                throw new EndOfStreamException();
            });
        }

        await using var again = await ExecConnection.OpenAsync(guest, new ExecRequest { Attach = new ExecAttach { Tag = "victim" } });
        Assert.Null(again.Reply.Error);
    }

    [Fact]
    public async Task Too_many_connections_are_refused_and_silent_ones_block_nobody()
    {
        await using var guest = await GuestInstance.StartDirectAsync();
        var silent = new List<IAsyncDisposable>();
        for (var i = 0; i < 60; i++)
        {
            silent.Add(await guest.ConnectAsync(GuestPort.Control));
            silent.Add(await guest.ConnectAsync(GuestPort.Exec));
        }

        Assert.Equal("ok\n", (await ExecConnection.ShellAsync(guest, "echo ok")).Stdout);
        for (var i = 0; i < 10; i++)
        {
            silent.Add(await guest.ConnectAsync(GuestPort.Control));
        }

        await AssertRefusedAsync(guest, GuestPort.Control);
        foreach (var connection in silent)
        {
            await connection.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_request_longer_than_the_limit_is_refused()
    {
        await using var guest = await GuestInstance.StartDirectAsync();
        await using var stream = await guest.ConnectAsync(GuestPort.Exec);
        var chunk = Encoding.ASCII.GetBytes(new string('x', 256 * 1024));
        try
        {
            for (var i = 0; i < 20; i++)
            {
                await stream.WriteAsync(chunk).AsTask().WaitAsync(GuestInstance.Deadline);
            }
        }
        catch (IOException)
        {
            // Refused before all was sent.
        }

        Assert.Equal("""{"type":"pong"}""", await guest.AskAsync("""{"type":"ping"}"""));
    }

    private static async Task AssertRefusedAsync(GuestInstance guest, int port)
    {
        await using var stream = await guest.ConnectAsync(port);
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            if (await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(GuestInstance.Deadline) == 0)
            {
                throw new EndOfStreamException();
            }
        });
    }
}
