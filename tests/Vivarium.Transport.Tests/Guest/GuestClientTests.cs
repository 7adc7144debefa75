using System.Text;
using Vivarium.Transport.Guest;
using Vivarium.Transport.Lines;
using Vivarium.Transport.Tests.Support;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Transport.Tests.Guest;

/// <summary>The clients against a guest that is a script of lines.</summary>
public sealed class GuestClientTests
{
    [Fact]
    public async Task Exec_sends_the_request_and_passes_output_on()
    {
        var (one, guest) = await StartAsync();
        var start = ExecClient.StartAsync(one, new ExecRequest { Argv = ["ls"], Stdin = true }, Limits.Token);
        Assert.Equal("""{"argv":["ls"],"stdin":true,"kill_on_disconnect":false}""", await guest.ReadAsync());

        // The answer and the first frames in one piece: nothing may be lost between the line and the frames.
        await guest.SendAsync([.. "{\"pid\":42}\n"u8, 1, 0, 0, 0, 3, .. "out"u8, 2, 0, 0, 0, 3, .. "err"u8]);
        await using var client = await start;
        Assert.Equal(42, client.Pid);
        await client.WriteStdinAsync("in"u8.ToArray(), Limits.Token);
        await client.CloseStdinAsync(Limits.Token);
        await client.ResizeAsync(80, 24, Limits.Token);
        Assert.Equal([0, 0, 0, 0, 2, .. "in"u8, 0, 0, 0, 0, 0], await guest.ReadBytesAsync(12));
        Assert.Equal([4, 0, 0, 0, 37, .. """{"type":"resize","cols":80,"rows":24}"""u8], await guest.ReadBytesAsync(42));

        var exit = """{"type":"exit","code":3,"duration_ms":5,"from_the_future":1}"""u8.ToArray();
        await guest.SendAsync([1, 0, 0, 0, 1, .. "!"u8, 4, 0, 0, 0, (byte)exit.Length, .. exit]);
        using var output = new MemoryStream();
        using var errors = new MemoryStream();
        var ended = await client.CopyOutputAsync(output, errors, Limits.Token);
        Assert.Equal((3, "out!", "err"), (ended.Code!.Value, Text(output), Text(errors)));
    }

    [Fact]
    public async Task Exec_throws_what_the_guest_answers()
    {
        var (one, guest) = await StartAsync();
        var start = ExecClient.StartAsync(one, new ExecRequest { Argv = ["nope"] }, Limits.Token);
        await guest.ReadAsync();
        await guest.SendLineAsync("""{"error":{"code":"not_found","message":"nope: not found","reason":"command_not_found"}}""");
        var error = await Assert.ThrowsAsync<VivariumException>(() => start);
        Assert.Equal((ErrorCode.NotFound, "command_not_found"), (error.Code, error.Reason!));
    }

    [Theory]
    [InlineData("")]
    [InlineData("garbage\n")]
    public async Task Exec_against_a_guest_that_breaks_off_or_babbles_is_an_error(string answer)
    {
        var (one, guest) = await StartAsync();
        var start = ExecClient.StartAsync(one, new ExecRequest { Argv = ["x"] }, Limits.Token);
        await guest.ReadAsync();
        await guest.SendAsync(Encoding.UTF8.GetBytes(answer));
        await guest.DisposeAsync();
        await Assert.ThrowsAsync<VivariumException>(() => start);
    }

    [Fact]
    public async Task A_connection_lost_before_the_exit_is_an_error()
    {
        var (one, guest) = await StartAsync();
        var start = ExecClient.StartAsync(one, new ExecRequest { Argv = ["x"] }, Limits.Token);
        await guest.ReadAsync();
        await guest.SendLineAsync("""{"pid":1}""");
        await using var client = await start;
        await guest.DisposeAsync();
        var error = await Assert.ThrowsAsync<VivariumException>(() => client.CopyOutputAsync(Stream.Null, Stream.Null, Limits.Token));
        Assert.Equal(ErrorCode.Unavailable, error.Code);
    }

    [Fact]
    public async Task Files_read_has_an_answer_content_and_a_closing_answer()
    {
        var (one, guest) = await StartAsync();
        await using var client = new FilesClient(one);
        using var content = new MemoryStream();
        var read = client.ReadFileAsync("/etc/hostname", "root", content, Limits.Token);
        Assert.Contains("\"op\":\"read\",\"path\":\"/etc/hostname\",\"user\":\"root\"", await guest.ReadAsync(), StringComparison.Ordinal);
        await guest.SendAsync([.. "{\"content\":true,\"truncated\":false}\n"u8, 0, 0, 0, 3, .. "abc"u8, 0, 0, 0, 2, .. "de"u8, 0, 0, 0, 0, .. "{\"bytes\":5}\n"u8]);
        Assert.Equal(5, await read);
        Assert.Equal("abcde", Text(content));

        var again = client.StatAsync("/x", null, false, Limits.Token);
        await guest.ReadAsync();
        await guest.SendLineAsync("""{"error":{"code":"not_found","message":"no /x"}}""");
        Assert.Equal(ErrorCode.NotFound, (await Assert.ThrowsAsync<VivariumException>(() => again)).Code);
    }

    [Fact]
    public async Task Files_write_sends_chunks_and_an_early_refusal_stops_it()
    {
        var (one, guest) = await StartAsync();
        await using var client = new FilesClient(one);
        var write = client.WriteFileAsync("/f", null, new MemoryStream("content"u8.ToArray()), 420, false, Limits.Token);
        await guest.ReadAsync();
        Assert.Equal([0, 0, 0, 7, .. "content"u8, 0, 0, 0, 0], await guest.ReadBytesAsync(15));
        await guest.SendLineAsync("""{"bytes":7}""");
        Assert.Equal(7, (await write).Bytes);

        var refused = client.WriteFileAsync("/g", null, new MemoryStream(new byte[50_000_000]), null, false, Limits.Token);
        await guest.ReadAsync();
        await guest.SendLineAsync("""{"error":{"code":"permission_denied","message":"no"}}""");
        Assert.Equal(ErrorCode.PermissionDenied, (await Assert.ThrowsAsync<VivariumException>(() => refused)).Code);
    }

    [Fact]
    public async Task A_source_that_fails_half_way_fails_the_write_and_the_connection()
    {
        var (one, guest) = await StartAsync();
        await using var client = new FilesClient(one);
        var write = client.WriteFileAsync("/f", null, new FailingStream(), null, false, Limits.Token);
        await guest.ReadAsync();
        Assert.Equal("the disk is gone", (await Assert.ThrowsAsync<IOException>(() => write)).Message);
        Assert.Equal([0, 0, 0, 3, 0, 0, 0], await guest.ReadBytesAsync(7));
        await Assert.ThrowsAsync<EndOfStreamException>(() => guest.ReadBytesAsync(1));
    }

    [Theory]
    [InlineData("7fffffff")]
    [InlineData("00100001")]
    public async Task Content_chunks_beyond_the_bound_are_refused(string length)
    {
        var (one, guest) = await StartAsync();
        await using var client = new FilesClient(one);
        var read = client.ReadFileAsync("/f", null, Stream.Null, Limits.Token);
        await guest.ReadAsync();
        await guest.SendAsync([.. "{\"content\":true}\n"u8, .. Convert.FromHexString(length)]);
        Assert.Equal(ErrorCode.InvalidArgument, (await Assert.ThrowsAsync<VivariumException>(() => read)).Code);
    }

    [Fact]
    public async Task Watch_yields_events_as_lines()
    {
        var (one, guest) = await StartAsync();
        await using var client = new FilesClient(one);
        var first = Task.Run(async () =>
        {
            var seen = new List<FileEvent>();
            await foreach (var change in client.WatchAsync("/d", null, true, Limits.Token))
            {
                seen.Add(change);
                if (seen.Count == 2)
                    break;
            }

            return seen;
        });
        await guest.ReadAsync();
        await guest.SendLineAsync("{}");
        await guest.SendLineAsync("""{"type":"create","path":"a","dir":true}""");
        await guest.SendLineAsync("""{"type":"write","path":"a/b"}""");
        Assert.Equal(["a", "a/b"], (await first.WaitAsync(Limits.Wait)).Select(e => e.Path));
    }

    [Fact]
    public async Task Forward_becomes_a_raw_stream()
    {
        var (one, guest) = await StartAsync();
        var connect = ForwardClient.ConnectAsync(one, new ForwardRequest { Port = 80 }, Limits.Token);
        Assert.Equal("""{"port":80}""", await guest.ReadAsync());
        await guest.SendAsync("{}\nSSH-2.0"u8.ToArray());
        await using var stream = await connect;
        var bytes = new byte[7];
        await stream.ReadExactlyAsync(bytes, Limits.Token);
        Assert.Equal("SSH-2.0"u8.ToArray(), bytes);
    }

    [Fact]
    public async Task Named_streams_echo_their_id_or_say_why_not()
    {
        var (one, guest) = await StartAsync();
        var start = NamedStreamClient.StartAsync(one, "id-1", Limits.Token);
        Assert.Equal([0, 0, 0, 4, .. "id-1"u8], await guest.ReadBytesAsync(8));
        await guest.SendAsync([0, 0, 0, 4, .. "id-1"u8, .. "raw"u8]);
        await using var stream = await start;
        await stream.ReadExactlyAsync(new byte[3], Limits.Token);

        (one, guest) = await StartAsync();
        var refused = NamedStreamClient.StartAsync(one, "id-2", Limits.Token);
        await guest.ReadBytesAsync(8);
        await guest.SendAsync([0, 0, 0, 7, .. "expired"u8]);
        Assert.Contains("expired", (await Assert.ThrowsAsync<VivariumException>(() => refused)).Message, StringComparison.Ordinal);

        (one, _) = await StartAsync();
        await Assert.ThrowsAsync<VivariumException>(() => NamedStreamClient.StartAsync(one, new string('x', 257), Limits.Token));
    }

    private static string Text(MemoryStream stream) => Encoding.UTF8.GetString(stream.ToArray());

    private static async Task<(DuplexStream Client, ScriptedGuest Guest)> StartAsync()
    {
        var (one, other) = await SocketPair.CreateAsync();
        return (one, new ScriptedGuest(new LineStream(other)));
    }

    private sealed class FailingStream : MemoryStream
    {
        private bool _read;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_read)
                return ValueTask.FromException<int>(new IOException("the disk is gone"));
            _read = true;
            buffer.Span[..3].Clear();
            return new(3);
        }
    }
}
