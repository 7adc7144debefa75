using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Cli.Interop;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Daemon;

/// <summary>
/// JSON-RPC 2.0 with the daemon over <c>vivd.sock</c>, one call at a time on one thread. Blocking on purpose: see <see cref="Posix"/>.
/// </summary>
internal sealed class HostConnection(UnixConnection connection) : IDisposable
{
    private long _lastId;

    /// <summary>Calls and waits for the answer. Errors of the daemon are thrown as they came.</summary>
    public TResult Call<TParams, TResult>(
        string method,
        TParams parameters,
        JsonTypeInfo<TParams> parametersType,
        JsonTypeInfo<TResult> resultType,
        ConnectionWait? wait = null,
        Action<OperationEvent>? progress = null,
        Action<HostEvent>? happened = null)
    {
        var id = Send(method, parameters, parametersType);
        for (; ; )
        {
            var message = Receive(wait ?? ConnectionWait.Forever) ?? throw UnixConnection.Gone();
            using (message)
            {
                var root = message.RootElement;
                if (root.TryGetProperty("method", out var notification))
                {
                    if (happened is not null && notification.ValueEquals(HostMethod.EventNotification))
                    {
                        happened(root.GetProperty("params").Deserialize(HostJson.Default.HostEvent)!);
                    }
                    else if (progress is not null && notification.ValueEquals(HostMethod.ProgressNotification))
                    {
                        progress(root.GetProperty("params").Deserialize(HostJson.Default.OperationEvent)!);
                    }
                }
                else if (root.TryGetProperty("id", out var answered) && answered.ValueKind == JsonValueKind.Number && answered.GetInt64() == id)
                {
                    return root.TryGetProperty("error", out var error) ? throw ToException(error) : root.GetProperty("result").Deserialize(resultType)!;
                }
            }
        }
    }

    /// <summary>Calls a method without parameters.</summary>
    public TResult Call<TResult>(string method, JsonTypeInfo<TResult> resultType, ConnectionWait? wait = null) =>
        Call(method, new Wire.Supervisor.Empty(), HostJson.Default.Empty, resultType, wait);

    /// <summary>The next notification of that name; null when the daemon has ended the connection.</summary>
    public T? Next<T>(string notification, JsonTypeInfo<T> type, ConnectionWait wait)
        where T : class
    {
        for (; ; )
        {
            if (Receive(wait) is not { } message)
            {
                return null;
            }

            using (message)
            {
                if (message.RootElement.TryGetProperty("method", out var method) && method.ValueEquals(notification))
                {
                    return message.RootElement.GetProperty("params").Deserialize(type);
                }
            }
        }
    }

    public void Dispose() => connection.Dispose();

    private long Send<TParams>(string method, TParams parameters, JsonTypeInfo<TParams> type)
    {
        var id = ++_lastId;
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("jsonrpc"u8, "2.0"u8);
            writer.WriteNumber("id"u8, id);
            writer.WriteString("method"u8, method);
            writer.WritePropertyName("params"u8);
            JsonSerializer.Serialize(writer, parameters, type);
            writer.WriteEndObject();
        }

        buffer.Write("\n"u8);
        connection.Send(buffer.WrittenSpan);
        return id;
    }

    private JsonDocument? Receive(ConnectionWait wait)
    {
        if (connection.ReadLine(wait) is not { } line)
        {
            return null;
        }

        try
        {
            return JsonDocument.Parse(line);
        }
        catch (JsonException e)
        {
            throw new VivariumException(ErrorCode.Internal, "the daemon sent a line that is not JSON", inner: e);
        }
    }

    private static Exception ToException(JsonElement error)
    {
        if (error.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object && data.TryGetProperty("code", out _))
        {
            return new RemoteException(data.Deserialize(HostJson.Default.ErrorInfo)!);
        }

        var message = error.TryGetProperty("message", out var text) ? text.GetString() : null;
        return new VivariumException(ErrorCode.Internal, $"the daemon refused the call: {message ?? "no reason given"}", "viv and vivd may be of different versions: 'viv daemon restart'");
    }
}
