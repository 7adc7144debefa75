using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Wire.Errors;

namespace Vivarium.Transport.JsonRpc;

/// <summary>The methods a side of a connection serves. Fill it before the first connection starts; it may serve any number of them.</summary>
public sealed class JsonRpcDispatcher
{
    private readonly Dictionary<string, Handler> _methods = [];
    private readonly Dictionary<string, Func<JsonRpcCall, JsonElement?, CancellationToken, ValueTask>> _notifications = [];

    /// <summary>Does the work and returns what writes the result.</summary>
    internal delegate ValueTask<Action<Utf8JsonWriter>> Handler(JsonRpcCall call, JsonElement? parameters, CancellationToken cancellationToken);

    /// <summary>Names of the methods, sorted.</summary>
    public IReadOnlyList<string> Methods => [.. _methods.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Registers a method. Unknown members of the parameters are refused; absent parameters read as <c>{}</c>.</summary>
    public JsonRpcDispatcher Method<TParams, TResult>(
        string name,
        JsonTypeInfo<TParams> parameters,
        JsonTypeInfo<TResult> result,
        Func<TParams, JsonRpcCall, CancellationToken, ValueTask<TResult>> handler)
    {
        var strict = JsonTypes.Strict(parameters);
        _methods.Add(name, async (call, json, cancellationToken) =>
        {
            var value = Read(name, json, strict);
            var answer = await handler(value, call, cancellationToken).ConfigureAwait(false);
            return writer => JsonSerializer.Serialize(writer, answer, result);
        });
        return this;
    }

    /// <summary>Registers a notification. Its handlers run one after another in the order of arrival, so they must be quick.</summary>
    public JsonRpcDispatcher Notification<TParams>(string name, JsonTypeInfo<TParams> parameters, Func<TParams, JsonRpcCall, CancellationToken, ValueTask> handler)
    {
        var tolerant = JsonTypes.Tolerant(parameters);
        _notifications.Add(name, (call, json, cancellationToken) => handler(Read(name, json, tolerant), call, cancellationToken));
        return this;
    }

    internal bool HasMethods => _methods.Count > 0;

    internal Handler? FindMethod(string name) => _methods.GetValueOrDefault(name);

    internal Func<JsonRpcCall, JsonElement?, CancellationToken, ValueTask>? FindNotification(string name) => _notifications.GetValueOrDefault(name);

    private static T Read<T>(string method, JsonElement? parameters, JsonTypeInfo<T> type)
    {
        try
        {
            var value = parameters is { } json ? json.Deserialize(type) : JsonSerializer.Deserialize("{}"u8, type);
            return value ?? throw new JsonException("null instead of an object");
        }
        catch (JsonException e)
        {
            throw new VivariumException(
                ErrorCode.InvalidArgument, $"{method}: the parameters are wrong: {e.Message}", "Compare the members and their types with the API reference.", "bad_params", e);
        }
    }
}
