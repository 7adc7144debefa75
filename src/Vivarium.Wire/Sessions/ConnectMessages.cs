using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vivarium.Wire.Sessions;

/// <summary>An error of the Connect protocol. Source: "Error end-stream" and "Unary-Response" of the protocol's specification.</summary>
public sealed record ConnectError
{
    /// <summary>Code, for example <c>not_found</c>.</summary>
    [JsonPropertyName("code")]
    public string? Code { get; init; }

    /// <summary>A sentence for people.</summary>
    [JsonPropertyName("message")]
    public string? Message { get; init; }

    /// <summary>More, for programs.</summary>
    [JsonPropertyName("details")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ConnectErrorDetail>? Details { get; init; }
}

/// <summary>A detail: a protobuf message, and the same as JSON for readers without protobuf.</summary>
public sealed record ConnectErrorDetail
{
    /// <summary>Type of detail every error has: reason (a stable word), domain <c>vivarium</c>, and metadata <c>hint</c> and <c>operation_id</c>.</summary>
    public const string ErrorInfo = "google.rpc.ErrorInfo";

    /// <summary>Name of the message.</summary>
    [JsonPropertyName("type")]
    public string? Type { get; init; }

    /// <summary>The message, base64 without padding.</summary>
    [JsonPropertyName("value")]
    public string? Value { get; init; }

    /// <summary>The message as JSON.</summary>
    [JsonPropertyName("debug")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Debug { get; init; }
}

/// <summary>JSON form of <see cref="ConnectErrorDetail.ErrorInfo"/>.</summary>
public sealed record ConnectErrorInfo
{
    /// <summary>A stable word finer than the code.</summary>
    [JsonPropertyName("reason")]
    public string? Reason { get; init; }

    /// <summary><c>vivarium</c>.</summary>
    [JsonPropertyName("domain")]
    public string? Domain { get; init; }

    /// <summary><c>hint</c>: what to do; <c>operation_id</c>: finds it in the daemon's log.</summary>
    [JsonPropertyName("metadata")]
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>Last message of a stream.</summary>
public sealed record ConnectEndStream
{
    /// <summary>Flag of its envelope.</summary>
    public const byte Flag = 0x02;

    /// <summary>Flag of an envelope whose message is compressed.</summary>
    public const byte Compressed = 0x01;

    /// <summary>Bytes before every message of a stream: flags, then the length as four bytes, the most significant first.</summary>
    public const int EnvelopeBytes = 5;

    /// <summary>How it ended; null: well.</summary>
    [JsonPropertyName("error")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ConnectError? Error { get; init; }

    /// <summary>Trailers.</summary>
    [JsonPropertyName("metadata")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, IReadOnlyList<string>>? Metadata { get; init; }
}
