using System.Text.Json;
using Vivarium.Transport.JsonRpc;
using Vivarium.Transport.Lines;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Transport.Guest;

/// <summary>The caller's side of the exec port: one connection, one process.</summary>
public sealed class ExecClient : IAsyncDisposable
{
    private const int MaxReplyBytes = 64 * 1024;

    private readonly LineStream _stream;
    private readonly ExecFrameReader _reader;
    private readonly ExecFrameWriter _writer;

    private ExecClient(LineStream stream, ExecReply reply)
    {
        _stream = stream;
        Reply = reply;
        _reader = new ExecFrameReader(stream);
        _writer = new ExecFrameWriter(stream);
    }

    /// <summary>The guest's answer to the request.</summary>
    public ExecReply Reply { get; }

    /// <summary>Process id inside the sandbox.</summary>
    public int Pid => Reply.Pid ?? 0;

    /// <summary>How the process ended, once that has been read.</summary>
    public ExecControl? Exit { get; private set; }

    /// <summary>Sends the request over a fresh stream to the exec port (which it owns from now on) and reads the answer.</summary>
    /// <exception cref="VivariumException">What the guest answered: not_found with reason command_not_found, and so on.</exception>
    public static async Task<ExecClient> StartAsync(DuplexStream stream, ExecRequest request, CancellationToken cancellationToken)
    {
        var lines = stream as LineStream ?? new LineStream(stream);
        try
        {
            await lines.WriteJsonLineAsync(request, GuestJson.Default.ExecRequest, cancellationToken).ConfigureAwait(false);
            return await ReadReplyAsync(lines, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await lines.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Reads the answer to a request that has been sent.</summary>
    internal static async ValueTask<ExecClient> ReadReplyAsync(LineStream lines, CancellationToken cancellationToken)
    {
        var reply = await lines.ReadJsonLineAsync(JsonTypes.Tolerant(GuestJson.Default.ExecReply), MaxReplyBytes, cancellationToken).ConfigureAwait(false);
        return reply.Error is { } error ? throw VivariumException.From(error) : new ExecClient(lines, reply);
    }

    /// <summary>
    /// The next piece of output, or of control messages other than exit; null when the process has ended (see <see cref="Exit"/>) or, with
    /// <see cref="Exit"/> still null, the connection has. The payload is valid until the next call.
    /// </summary>
    public async ValueTask<ExecFrame?> ReadAsync(CancellationToken cancellationToken = default)
    {
        while (Exit is null && await _reader.ReadAsync(cancellationToken).ConfigureAwait(false) is { } frame)
        {
            if (frame.Channel != ExecChannel.Control)
                return frame;
            if (ReadControl(frame.Payload.Span) is not { Type: ExecControlType.Exit } exit)
                return frame;
            Exit = exit;
        }

        return null;
    }

    /// <summary>Reads a control message.</summary>
    /// <exception cref="VivariumException">invalid_argument: it is malformed.</exception>
    public static ExecControl ReadControl(ReadOnlySpan<byte> payload)
    {
        try
        {
            return JsonSerializer.Deserialize(payload, JsonTypes.Tolerant(GuestJson.Default.ExecControl)) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"a control message of the exec connection is malformed: {e.Message}", reason: "bad_frame", inner: e);
        }
    }

    /// <summary>Passes all output on until the process has ended.</summary>
    /// <param name="stdout">Takes standard output and terminal output.</param>
    /// <param name="stderr">Takes standard error.</param>
    /// <param name="cancellationToken">Stops reading; the process goes on.</param>
    /// <exception cref="VivariumException">unavailable: the connection ended before the process did.</exception>
    public async Task<ExecControl> CopyOutputAsync(Stream stdout, Stream stderr, CancellationToken cancellationToken)
    {
        while (await ReadAsync(cancellationToken).ConfigureAwait(false) is { } frame)
        {
            if (frame.Channel is ExecChannel.Stdout or ExecChannel.Pty)
                await stdout.WriteAsync(frame.Payload, cancellationToken).ConfigureAwait(false);
            else if (frame.Channel == ExecChannel.Stderr)
                await stderr.WriteAsync(frame.Payload, cancellationToken).ConfigureAwait(false);
        }

        return Exit ?? throw new VivariumException(ErrorCode.Unavailable, "the connection ended before the process did", reason: "closed_early");
    }

    /// <summary>Sends input.</summary>
    public ValueTask WriteStdinAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken = default) =>
        bytes.IsEmpty ? default : _writer.WriteAsync(ExecChannel.Stdin, bytes, cancellationToken);

    /// <summary>Ends the input.</summary>
    public ValueTask CloseStdinAsync(CancellationToken cancellationToken = default) => _writer.WriteAsync(ExecChannel.Stdin, default, cancellationToken);

    /// <summary>Sends input until its source ends, then ends the input.</summary>
    public async Task CopyInputAsync(Stream source, CancellationToken cancellationToken)
    {
        var buffer = new byte[ExecFrame.HeaderBytes + 64 * 1024];
        while (true)
        {
            var read = await source.ReadAsync(buffer.AsMemory(ExecFrame.HeaderBytes), cancellationToken).ConfigureAwait(false);
            if (read == 0)
                break;
            await _writer.WritePrefixedAsync(ExecChannel.Stdin, buffer.AsMemory(0, ExecFrame.HeaderBytes + read), cancellationToken).ConfigureAwait(false);
        }

        await CloseStdinAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Changes the size of the terminal.</summary>
    public ValueTask ResizeAsync(int cols, int rows, CancellationToken cancellationToken = default) =>
        _writer.WriteControlAsync(new ExecControl { Type = ExecControlType.Resize, Cols = cols, Rows = rows }, cancellationToken);

    /// <summary>Sends a signal to the process group of the command.</summary>
    public ValueTask SignalAsync(int signal, CancellationToken cancellationToken = default) =>
        _writer.WriteControlAsync(new ExecControl { Type = ExecControlType.Signal, Signal = signal }, cancellationToken);

    /// <summary>Leaves the process; whether it goes on is what its request said (<see cref="ExecRequest.KillOnDisconnect"/>).</summary>
    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync().ConfigureAwait(false);
        _reader.Dispose();
        _writer.Dispose();
    }
}
