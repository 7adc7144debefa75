using System.Text.Json.Serialization.Metadata;
using Vivarium.Guest.Ports;
using Vivarium.Transport;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Files;

/// <summary>One connection to the files port: lines both ways, and content as chunks.</summary>
internal sealed class FilesConnection(DuplexStream stream, ConnectionReader reader, CancellationToken cancellationToken)
{
    /// <summary>Ends with the connection to the host.</summary>
    public CancellationToken CancellationToken => cancellationToken;

    /// <summary>Content of the current request, going in.</summary>
    public ContentInput OpenInput() => new(reader, cancellationToken);

    /// <summary>Content of the current answer, going out.</summary>
    public ContentOutput OpenOutput() => new(stream, cancellationToken);

    /// <summary>One line out.</summary>
    public ValueTask SendAsync<T>(T value, JsonTypeInfo<T> type) => stream.WriteAsync(JsonLines.ToLine(value, type), cancellationToken);

    /// <summary>One answer out.</summary>
    public ValueTask ReplyAsync(FileReply reply) => SendAsync(reply, GuestJson.Default.FileReply);

    /// <summary>Returns when the caller has ended the connection (or said something, which a watch does not expect).</summary>
    public async Task UntilEndAsync()
    {
        try
        {
            _ = await reader.ReadAsync(new byte[1], cancellationToken);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // That is an end too.
        }
    }
}
