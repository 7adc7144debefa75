using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Vivarium.Acceptance.Harness;

/// <summary>
/// A client of the daemon's socket written from the protocol's description alone (JSON-RPC 2.0, one object a line), so that the tests hold the
/// daemon to the wire format and not to our own client library. Many calls may be under way at once.
/// </summary>
internal sealed class ApiClient : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly NetworkStream stream;
    private readonly SemaphoreSlim writing = new(1);
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonElement>> pending = new();
    private readonly Task reading;
    private int lastId;

    private ApiClient(NetworkStream stream)
    {
        this.stream = stream;
        reading = ReadAsync();
    }

    public static async Task<ApiClient> ConnectAsync(PrivateDaemon daemon)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(daemon.Socket));
        return new ApiClient(new NetworkStream(socket, ownsSocket: true));
    }

    /// <summary>Calls a method with parameters given as JSON text; returns the result or throws with the error's text.</summary>
    public async Task<JsonElement> CallAsync(string method, string parameters = "{}")
    {
        var id = Interlocked.Increment(ref lastId);
        var answer = new TaskCompletionSource<JsonElement>(TaskCreationOptions.RunContinuationsAsynchronously);
        pending[id] = answer;
        var line = string.Create(CultureInfo.InvariantCulture, $"{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{parameters}}}\n");
        await writing.WaitAsync();
        try
        {
            await stream.WriteAsync(Encoding.UTF8.GetBytes(line));
        }
        finally
        {
            writing.Release();
        }

        return await answer.Task.WaitAsync(Deadline);
    }

    /// <summary>Runs a command to its end; its exit code.</summary>
    public async Task<int> ExecAsync(string sandbox, params string[] command)
    {
        var argv = string.Join(',', command.Select(word => $"\"{JsonEncodedText.Encode(word)}\""));
        var reply = await CallAsync("process.exec", $"{{\"ref\":\"{sandbox}\",\"request\":{{\"argv\":[{argv}]}}}}");
        var exit = reply.GetProperty("exit");
        return exit.TryGetProperty("code", out var code) ? code.GetInt32() : 128 + exit.GetProperty("signal").GetInt32();
    }

    public async ValueTask DisposeAsync()
    {
        await stream.DisposeAsync();
        await reading;
        writing.Dispose();
    }

    private async Task ReadAsync()
    {
        try
        {
            using var reader = new StreamReader(stream, Encoding.UTF8, false, 64 * 1024, leaveOpen: true);
            while (await reader.ReadLineAsync() is { } line)
            {
                using var document = JsonDocument.Parse(line);
                var message = document.RootElement;
                if (!message.TryGetProperty("id", out var id) || !pending.TryRemove(id.GetInt32(), out var answer))
                {
                    continue; // a notification
                }

                if (message.TryGetProperty("error", out var error))
                {
                    answer.SetException(new IOException(error.GetRawText()));
                }
                else
                {
                    answer.SetResult(message.GetProperty("result").Clone());
                }
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The connection has ended; what was waiting is told below.
        }

        foreach (var waiting in pending.Values)
        {
            waiting.TrySetException(new IOException("the daemon closed the connection"));
        }
    }
}
