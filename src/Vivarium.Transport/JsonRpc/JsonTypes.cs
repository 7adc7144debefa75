using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Vivarium.Transport.JsonRpc;

/// <summary>
/// Variants of source-generated JSON metadata: what we receive as a server is read strictly (an unknown member is an error, so
/// that a misspelt option is never ignored), what we receive as a client tolerantly (a newer server may say more).
/// </summary>
public static class JsonTypes
{
    /// <summary>Deepest nesting read.</summary>
    public const int MaxDepth = 32;

    private static readonly ConditionalWeakTable<JsonSerializerOptions, JsonSerializerOptions> StrictOptions = [];
    private static readonly ConditionalWeakTable<JsonSerializerOptions, JsonSerializerOptions> TolerantOptions = [];

    /// <summary>The same type, unknown members refused.</summary>
    public static JsonTypeInfo<T> Strict<T>(JsonTypeInfo<T> type) =>
        (JsonTypeInfo<T>)StrictOptions.GetValue(type.Options, static o => Derive(o, JsonUnmappedMemberHandling.Disallow)).GetTypeInfo(typeof(T));

    /// <summary>The same type, unknown members skipped.</summary>
    public static JsonTypeInfo<T> Tolerant<T>(JsonTypeInfo<T> type) =>
        (JsonTypeInfo<T>)TolerantOptions.GetValue(type.Options, static o => Derive(o, JsonUnmappedMemberHandling.Skip)).GetTypeInfo(typeof(T));

    private static JsonSerializerOptions Derive(JsonSerializerOptions options, JsonUnmappedMemberHandling handling) =>
        new(options) { UnmappedMemberHandling = handling, MaxDepth = MaxDepth };
}
