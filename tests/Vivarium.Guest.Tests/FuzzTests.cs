using System.Buffers.Binary;
using Vivarium.Guest.Tests.Harness;
using Vivarium.TestKit;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests;

/// <summary>
/// The agent's ports, fed with damaged requests: each connection ends or is answered, and the agent goes on. In a sandbox of its own, because a damaged request may
/// still mean something.
/// </summary>
public sealed class FuzzTests
{
    [Fact]
    public async Task Damaged_requests_on_every_port_are_answered_or_end_their_connection()
    {
        Assert.SkipUnless(OciSandbox.IsInstalled("runc"), "runc is not installed");
        await using var sandbox = await OciSandbox.StartAsync("runc");
        var guest = sandbox.Guest;
        var samples = new Dictionary<int, byte[][]>
        {
            [GuestPort.Control] =
            [
                "{\"type\":\"ping\",\"id\":\"1\"}\n{\"type\":\"get_health\",\"id\":\"2\"}\n{\"type\":\"stats\"}\n"u8.ToArray(),
                "{\"type\":\"configure\",\"payload\":{\"env\":{\"A\":\"b\"},\"default_user\":\"root\",\"nameservers\":[\"10.0.0.1\"]},\"id\":\"3\"}\n"u8.ToArray(),
                "{\"type\":\"inject_secret\",\"payload\":{\"name\":\"s\",\"value\":\"dg==\"}}\n{\"type\":\"processes\",\"id\":\"4\"}\n{\"type\":\"listeners\",\"id\":\"5\"}\n"u8.ToArray(),
            ],
            [GuestPort.Exec] =
            [
                [.. "{\"argv\":[\"/bin/true\"],\"env\":{\"A\":\"1\"},\"cwd\":\"/\",\"user\":\"user\",\"stdin\":true,\"timeout_ms\":1000}\n"u8, .. Frame(0, "in"u8), .. Frame(0, ""u8)],
                [.. "{\"argv\":[\"/bin/cat\"],\"tty\":{\"cols\":80,\"rows\":24},\"stdin\":true,\"timeout_ms\":300}\n"u8, .. Frame(3, "{\"type\":\"resize\",\"cols\":10,\"rows\":5}"u8), .. Frame(3, "{\"type\":\"signal\",\"signal\":15}"u8)],
                "{\"attach\":5,\"offset\":0}\n"u8.ToArray(),
            ],
            [GuestPort.Streams] = [[0, 0, 0, 2, .. "id"u8]],
            [GuestPort.Files] =
            [
                "{\"op\":\"stat\",\"path\":\"/etc/passwd\"}\n{\"op\":\"list\",\"path\":\"/\",\"depth\":2}\n{\"op\":\"find\",\"path\":\"/etc\",\"pattern\":\"*a*\"}\n"u8.ToArray(),
                [.. "{\"op\":\"write\",\"path\":\"/tmp/file\",\"mode\":420,\"parents\":true}\n"u8, 0, 0, 0, 3, .. "abc"u8, 0, 0, 0, 0, .. "{\"op\":\"read\",\"path\":\"/tmp/file\"}\n"u8],
                "{\"op\":\"grep\",\"path\":\"/etc\",\"pattern\":\"r(oo|x)t+\",\"regex\":true,\"limit\":10}\n{\"op\":\"listxattr\",\"path\":\"/tmp\"}\n"u8.ToArray(),
                [.. "{\"op\":\"archive_in\",\"path\":\"/tmp/in\",\"parents\":true}\n"u8, 0, 0, 2, 0, .. new byte[512], 0, 0, 0, 0],
            ],
            [GuestPort.Forward] = ["{\"port\":9}\n"u8.ToArray(), "{\"host\":\"127.0.0.1\",\"port\":65535}\n"u8.ToArray()],
        };
        foreach (var (port, of) in samples)
        {
            Fuzz.Bytes(of, bytes => SendAsync(guest, port, bytes).GetAwaiter().GetResult(), static _ => false, rounds: 80);
            Assert.Contains("\"pong\"", await guest.AskAsync("{\"type\":\"ping\",\"id\":\"after\"}"), StringComparison.Ordinal);
        }

        Assert.Equal("well\n", (await ExecConnection.ShellAsync(guest, "echo well")).Stdout);
    }

    private static async Task SendAsync(GuestInstance guest, int port, byte[] bytes)
    {
        var stream = await guest.ConnectAsync(port);
        await using (stream.ConfigureAwait(false))
        {
            try
            {
                await stream.WriteAsync(bytes).AsTask().WaitAsync(GuestInstance.Deadline);
                await stream.CompleteWritesAsync();

                // A damaged process may live for its time; what it says is not waited for longer than an answer takes.
                using var enough = new CancellationTokenSource(TimeSpan.FromMilliseconds(800));
                var buffer = new byte[64 * 1024];
                while (await stream.ReadAsync(buffer, enough.Token) > 0)
                {
                    if (port is GuestPort.Exec or GuestPort.Forward)
                    {
                        return;
                    }
                }
            }
            catch (Exception e) when (e is IOException or Wire.Errors.VivariumException or OperationCanceledException)
            {
                // Refused, or it has nothing to say.
            }
        }
    }

    private static byte[] Frame(byte channel, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[5 + payload.Length];
        frame[0] = channel;
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), (uint)payload.Length);
        payload.CopyTo(frame.AsSpan(5));
        return frame;
    }
}
