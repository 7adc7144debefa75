using System.Buffers.Binary;
using System.Text;
using Vivarium.TestKit;
using Vivarium.Transport.Guest;
using Vivarium.Transport.JsonRpc;
using Vivarium.Transport.Lines;
using Vivarium.Transport.Tests.Support;
using Vivarium.Transport.Yamux;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Transport.Tests;

/// <summary>Every parser of a connection, fed with damaged input: it refuses with its own error or goes on, in bounded time and memory.</summary>
public sealed class FuzzTests
{
    [Fact]
    public void Json_rpc_served()
    {
        var served = 0;
        Fuzz.Text(
            [
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"ref\":\"a\"}}\n{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"none\"}\n",
                "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":1}}\n{\"jsonrpc\":\"2.0\",\"id\":2.5e3,\"method\":\"echo\",\"params\":null}\n",
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-1,\"message\":\"m\",\"data\":{\"code\":\"not_found\"}}}\n",
                "{\"connect\":1025,\"ticket\":\"abc\"}\n",
                "{\"method\":\"status\",\"name\":\"x\"}\n",
            ],
            text =>
            {
                var dispatcher = new JsonRpcDispatcher().Method("echo", HostJson.Default.RefParams, HostJson.Default.RefParams, (p, _, _) =>
                {
                    served++;
                    return new(p);
                });
                var lines = new LineStream(Replay(Encoding.UTF8.GetBytes(text)));
                Wait(Opening.ReadAsync(lines, 64 * 1024, CancellationToken.None).AsTask());
                Wait(Serve(new JsonRpcConnection(lines, dispatcher, new JsonRpcOptions { MaxMessageBytes = 64 * 1024, LingerAfterEnd = TimeSpan.FromSeconds(1) })));
            },
            static e => e is VivariumException);
        Assert.True(served > 0, "some damage must leave a whole request");

        static async Task Serve(JsonRpcConnection connection)
        {
            await using (connection)
            {
                await connection.RunAsync(CancellationToken.None);
            }
        }
    }

    [Fact]
    public void Json_rpc_answers() => Fuzz.Text(
        [
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"ref\":\"a\"}}\n",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32001,\"message\":\"no\",\"data\":{\"code\":\"not_found\",\"message\":\"no\",\"reason\":\"r\"}}}\n",
        ],
        static text => Wait(Ask(text)),
        static e => e is VivariumException);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Yamux_frames(bool client)
    {
        byte[] opened = [.. Frame(0, 1, client ? 2u : 1u, 2), 4, 1, .. Frame(0, 0, client ? 2u : 1u, 5), .. "hello"u8, .. Frame(1, 0, client ? 2u : 1u, 70_000), .. Frame(0, 4, client ? 2u : 1u, 0)];
        byte[] rest = [.. Frame(2, 1, 0, 7), .. Frame(2, 2, 0, 7), .. Frame(1, 1, client ? 4u : 3u, 0), .. Frame(1, 8, client ? 4u : 3u, 0), .. Frame(3, 0, 0, 0)];
        var accepted = 0;
        Fuzz.Bytes(
            [opened, rest, [.. opened, .. rest], [.. rest, .. opened, .. opened]],
            bytes =>
            {
                var stream = Replay(bytes);
                var session = new YamuxSession(stream, stream, client ? YamuxRole.Client : YamuxRole.Server, new YamuxOptions { AcceptStreams = true, MaxStreams = 16 });
                accepted += Use(session).WaitAsync(TimeSpan.FromSeconds(5)).GetAwaiter().GetResult();
            },
            static e => e is VivariumException or IOException,
            rounds: 2000);
        Assert.True(accepted > 0, "some damage must leave a whole stream");

        static async Task<int> Use(YamuxSession session)
        {
            var count = 0;
            await using (session)
            {
                await foreach (var one in session.AcceptAllAsync())
                {
                    count++;
                    await one.Stream.DisposeAsync();
                }

                await session.Completed;
            }

            return count;
        }
    }

    [Fact]
    public void Exec_frames() => Fuzz.Bytes(
        [[.. Exec(1, "out"u8), .. Exec(3, "{\"type\":\"ping\"}"u8), .. Exec(2, ""u8), .. Exec(3, "{\"type\":\"exit\",\"code\":0}"u8)], Exec(0, new byte[3000])],
        static bytes =>
        {
            using var reader = new ExecFrameReader(new CutStream(bytes, 100, new Random(bytes.Length)));
            while (reader.ReadAsync().AsTask().GetAwaiter().GetResult() is { } frame)
            {
                if (frame.Channel == ExecChannel.Control)
                    ExecClient.ReadControl(frame.Payload.Span);
            }
        },
        static e => e is VivariumException);

    [Fact]
    public void Exec_answers() => Fuzz.Bytes(
        [[.. "{\"pid\":7,\"offset\":0,\"lost\":1}\n"u8, .. Exec(1, "x"u8), .. Exec(3, "{\"type\":\"exit\",\"code\":3,\"signal\":9,\"oom\":true}"u8)], [.. "{\"error\":{\"code\":\"not_found\",\"message\":\"m\",\"reason\":\"r\"}}\n"u8]],
        static bytes => Wait(Run(bytes)),
        static e => e is VivariumException);

    [Fact]
    public void File_content_and_answers() => Fuzz.Bytes(
        [
            [.. "{\"content\":true}\n"u8, 0, 0, 0, 3, .. "abc"u8, 0, 0, 0, 0, .. "{\"bytes\":3}\n"u8],
            [.. "{\"entries\":[{\"name\":\"a\",\"type\":\"file\",\"size\":1,\"mode\":420}]}\n{\"content\":true}\n"u8, 0, 0, 0, 0, .. "{\"error\":{\"code\":\"internal\",\"message\":\"m\"}}\n"u8],
        ],
        static bytes => Wait(Read(bytes)),
        static e => e is VivariumException);

    [Fact]
    public void Control_messages() => Fuzz.Text(
        [
            "{\"type\":\"lifecycle\",\"payload\":{\"state\":\"ready\"}}\n{\"type\":\"health\",\"payload\":{\"state\":\"ready\",\"uptime_seconds\":1},\"id\":\"1\"}\n",
            "{\"type\":\"ack\",\"payload\":{\"reply_to\":\"get_health\",\"ok\":false,\"error\":\"e\"},\"id\":\"1\"}\n",
        ],
        static text => Wait(Health(text)),
        static e => e is VivariumException);

    [Fact]
    public void Named_streams_and_forwards()
    {
        Fuzz.Bytes(
            [[0, 0, 0, 2, .. "id"u8], [0, 0, 0, 5, .. "error"u8]],
            static bytes => Wait(NamedStreamClient.StartAsync(Replay(bytes), "id", CancellationToken.None)),
            static e => e is VivariumException,
            rounds: 1000);
        Fuzz.Text(
            ["{\"ok\":true}\n", "{\"error\":{\"code\":\"unavailable\",\"message\":\"m\"}}\n"],
            static text => Wait(ForwardClient.ConnectAsync(Replay(Encoding.UTF8.GetBytes(text)), new ForwardRequest { Port = 1 }, CancellationToken.None)),
            static e => e is VivariumException,
            rounds: 1000);
    }

    [Fact]
    public void A_supervisors_first_lines() => Fuzz.Text(
        ["{\"connect\":1025,\"ticket\":\"" + new string('a', 43) + "\"}\n", "{\"ok\":true}\n", "{\"ok\":false,\"error\":{\"code\":\"unauthenticated\",\"message\":\"m\"}}\n"],
        static text =>
        {
            Wait(new LineStream(Replay(Encoding.UTF8.GetBytes(text))).ReadJsonLineAsync(SupervisorJson.Default.ConnectLine, 64 * 1024).AsTask());
            Wait(new LineStream(Replay(Encoding.UTF8.GetBytes(text))).ReadJsonLineAsync(SupervisorJson.Default.ConnectReply, 64 * 1024).AsTask());
        },
        static e => e is VivariumException);

    private static ReplayStream Replay(byte[] bytes) => new(bytes, new Random(bytes.Length));

    /// <summary>Longer than what <see cref="Fuzz"/> allows: there it is named with its seed.</summary>
    private static void Wait(Task work) => work.WaitAsync(TimeSpan.FromSeconds(5)).GetAwaiter().GetResult();

    private static async Task Ask(string text)
    {
        await using var connection = new JsonRpcConnection(Replay(Encoding.UTF8.GetBytes(text)));
        var asked = connection.RequestAsync("x", new RefParams { Ref = "a" }, HostJson.Default.RefParams, HostJson.Default.RefParams, CancellationToken.None);
        connection.Start();
        await asked;
    }

    private static async Task Run(byte[] bytes)
    {
        await using var process = await ExecClient.StartAsync(Replay(bytes), new ExecRequest { Argv = ["true"] }, CancellationToken.None);
        await process.CopyOutputAsync(Stream.Null, Stream.Null, CancellationToken.None);
    }

    private static async Task Read(byte[] bytes)
    {
        await using var files = new FilesClient(Replay(bytes));
        await files.ReceiveAsync(new FileRequest { Op = "read", Path = "/a" }, Stream.Null, CancellationToken.None);
        await files.ListAsync("/", null, 1, CancellationToken.None);
    }

    private static async Task Health(string text)
    {
        var answers = new TaskCompletionSource();
        await using var control = new ControlClient(new AfterStream(Replay(Encoding.UTF8.GetBytes(text)), answers.Task)) { OnLifecycle = static _ => { } };
        var health = control.GetHealthAsync(TimeSpan.FromSeconds(2), CancellationToken.None);
        answers.SetResult();
        await health;
    }

    private static byte[] Exec(byte channel, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[5 + payload.Length];
        frame[0] = channel;
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), (uint)payload.Length);
        payload.CopyTo(frame.AsSpan(5));
        return frame;
    }

    private static byte[] Frame(byte type, ushort flags, uint stream, uint length)
    {
        var frame = new byte[12];
        frame[1] = type;
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), flags);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(4), stream);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(8), length);
        return frame;
    }

    /// <summary>Says nothing before its moment: an answer must not be there before its question.</summary>
    private sealed class AfterStream(DuplexStream inner, Task moment) : DuplexStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await moment.WaitAsync(cancellationToken);
            return await inner.ReadAsync(buffer, cancellationToken);
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => inner.WriteAsync(buffer, cancellationToken);

        public override ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default) => default;

        public override ValueTask DisposeAsync()
        {
            GC.SuppressFinalize(this);
            return inner.DisposeAsync();
        }
    }
}
