using System.Runtime.CompilerServices;
using System.Text.Json;
using Vivarium.Transport.JsonRpc;
using Vivarium.Transport.Lines;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Transport.Guest;

/// <summary>The caller's side of the files port. One connection serves one request at a time, any number one after another; a watch keeps it to its end.</summary>
public sealed class FilesClient : IAsyncDisposable
{
    /// <summary>Longest answer line: 10 000 entries with long paths fit.</summary>
    private const int MaxReplyBytes = 64 * 1024 * 1024;

    /// <summary>How long the guest's own explanation is waited for after sending to it failed.</summary>
    private static readonly TimeSpan AnswerGrace = TimeSpan.FromSeconds(1);

    private readonly LineStream _stream;

    /// <summary>Speaks over a fresh stream to the files port and owns it from now on.</summary>
    public FilesClient(DuplexStream stream) => _stream = stream as LineStream ?? new LineStream(stream);

    /// <summary>Any request without content. The named methods below are shorter.</summary>
    /// <exception cref="VivariumException">What the guest answered.</exception>
    public async Task<FileReply> CallAsync(FileRequest request, CancellationToken cancellationToken)
    {
        await _stream.WriteJsonLineAsync(request, GuestJson.Default.FileRequest, cancellationToken).ConfigureAwait(false);
        return await ReadReplyAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A request with content going in; returns the answer that says all of it worked.</summary>
    public async Task<FileReply> SendAsync(FileRequest request, Stream content, CancellationToken cancellationToken)
    {
        await _stream.WriteJsonLineAsync(request, GuestJson.Default.FileRequest, cancellationToken).ConfigureAwait(false);

        // A guest that cannot go on answers early; then the rest is not sent, and the connection cannot be used again.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var reply = ReadReplyAsync(cancellationToken);
        var copy = ContentWriter.CopyAsync(content, _stream, stop.Token);
        await Task.WhenAny(reply, copy).ConfigureAwait(false);
        if (reply.IsCompleted && !copy.IsCompleted)
            await stop.CancelAsync().ConfigureAwait(false);
        try
        {
            await copy.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (reply.IsCompleted && !cancellationToken.IsCancellationRequested)
        {
            // The answer says why.
        }
        catch (Exception e)
        {
            // Either the guest has stopped listening, then its answer says why; or the source failed or the caller gave up in the middle of the
            // content, then this connection is of no more use.
            if (e is not (IOException or VivariumException) || !await ComesSoonAsync(reply).ConfigureAwait(false))
            {
                await DisposeAsync().ConfigureAwait(false);
                await ((Task)reply).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                throw;
            }
        }

        return await reply.ConfigureAwait(false);
    }

    /// <summary>A request with content coming out, copied into a stream; returns the closing answer.</summary>
    public async Task<FileReply> ReceiveAsync(FileRequest request, Stream destination, CancellationToken cancellationToken)
    {
        await using var content = await OpenAsync(request, cancellationToken).ConfigureAwait(false);
        await content.CopyToAsync(destination, 256 * 1024, cancellationToken).ConfigureAwait(false);
        return await CloseAsync(content, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A request with content coming out, to be read by the caller and ended with <see cref="CloseAsync"/>.</summary>
    public async Task<ContentStream> OpenAsync(FileRequest request, CancellationToken cancellationToken)
    {
        var reply = await CallAsync(request, cancellationToken).ConfigureAwait(false);
        return reply.Content
            ? new ContentStream(_stream)
            : throw new VivariumException(ErrorCode.Internal, $"the guest answered {request.Op} without content", reason: "bad_answer");
    }

    /// <summary>Reads what is left of the content and the closing answer.</summary>
    /// <exception cref="VivariumException">The content was cut short on the guest's side.</exception>
    public async Task<FileReply> CloseAsync(ContentStream content, CancellationToken cancellationToken)
    {
        await content.SkipAsync(cancellationToken).ConfigureAwait(false);
        return await ReadReplyAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary><c>stat</c>.</summary>
    public async Task<FileEntry> StatAsync(string path, string? user, bool noFollow, CancellationToken cancellationToken) =>
        Entry(await CallAsync(new FileRequest { Op = "stat", Path = path, User = user, NoFollow = noFollow }, cancellationToken).ConfigureAwait(false));

    /// <summary><c>list</c>, this many levels deep.</summary>
    public async Task<IReadOnlyList<FileEntry>> ListAsync(string path, string? user, int depth, CancellationToken cancellationToken) =>
        (await CallAsync(new FileRequest { Op = "list", Path = path, User = user, Depth = depth }, cancellationToken).ConfigureAwait(false)).Entries ?? [];

    /// <summary><c>read</c> into a stream; returns the number of bytes.</summary>
    public async Task<long> ReadFileAsync(string path, string? user, Stream destination, CancellationToken cancellationToken) =>
        (await ReceiveAsync(new FileRequest { Op = "read", Path = path, User = user }, destination, cancellationToken).ConfigureAwait(false)).Bytes ?? 0;

    /// <summary><c>write</c>: atomic replace.</summary>
    public Task<FileReply> WriteFileAsync(string path, string? user, Stream content, int? mode, bool parents, CancellationToken cancellationToken) =>
        SendAsync(new FileRequest { Op = "write", Path = path, User = user, Mode = mode, Parents = parents }, content, cancellationToken);

    /// <summary><c>mkdir</c>.</summary>
    public Task<FileReply> MakeDirectoryAsync(string path, string? user, bool parents, CancellationToken cancellationToken) =>
        CallAsync(new FileRequest { Op = "mkdir", Path = path, User = user, Parents = parents }, cancellationToken);

    /// <summary><c>move</c>.</summary>
    public Task<FileReply> MoveAsync(string path, string to, string? user, bool replace, CancellationToken cancellationToken) =>
        CallAsync(new FileRequest { Op = "move", Path = path, To = to, User = user, Replace = replace }, cancellationToken);

    /// <summary><c>remove</c>.</summary>
    public Task<FileReply> RemoveAsync(string path, string? user, bool recursive, CancellationToken cancellationToken) =>
        CallAsync(new FileRequest { Op = "remove", Path = path, User = user, Recursive = recursive }, cancellationToken);

    /// <summary><c>archive_in</c>: unpacks a tar stream below a directory.</summary>
    public Task<FileReply> UnpackAsync(string path, string? user, Stream tar, bool keepOwners, CancellationToken cancellationToken) =>
        SendAsync(new FileRequest { Op = "archive_in", Path = path, User = user, KeepOwners = keepOwners, Parents = true }, tar, cancellationToken);

    /// <summary><c>archive_out</c>: packs what is below a directory (or only these paths of it) as a tar stream.</summary>
    public Task<FileReply> PackAsync(string path, string? user, IReadOnlyList<string>? paths, Stream destination, CancellationToken cancellationToken) =>
        ReceiveAsync(new FileRequest { Op = "archive_out", Path = path, User = user, Paths = paths }, destination, cancellationToken);

    /// <summary><c>watch</c>: changes until the enumeration is left; the connection then ends.</summary>
    public async IAsyncEnumerable<FileEvent> WatchAsync(string path, string? user, bool recursive, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await CallAsync(new FileRequest { Op = "watch", Path = path, User = user, Recursive = recursive }, cancellationToken).ConfigureAwait(false);
        try
        {
            while (await _stream.ReadLineAsync(FileRequest.MaxLineBytes, cancellationToken).ConfigureAwait(false) is { } line)
                yield return ReadEvent(line.Span);
        }
        finally
        {
            await DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    /// <summary>Whether the guest has said something already or says it in a moment.</summary>
    private static async Task<bool> ComesSoonAsync(Task<FileReply> reply) =>
        await Task.WhenAny(reply, Task.Delay(AnswerGrace, TimeProvider.System, CancellationToken.None)).ConfigureAwait(false) == reply;

    private static FileEvent ReadEvent(ReadOnlySpan<byte> line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, JsonTypes.Tolerant(GuestJson.Default.FileEvent)) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"a file event is malformed: {e.Message}", reason: "bad_frame", inner: e);
        }
    }

    private static FileEntry Entry(FileReply reply) =>
        reply.Entry ?? throw new VivariumException(ErrorCode.Internal, "the guest answered without an entry", reason: "bad_answer");

    private async Task<FileReply> ReadReplyAsync(CancellationToken cancellationToken)
    {
        var reply = await _stream.ReadJsonLineAsync(JsonTypes.Tolerant(GuestJson.Default.FileReply), MaxReplyBytes, cancellationToken).ConfigureAwait(false);
        return reply.Error is { } error ? throw VivariumException.From(error) : reply;
    }
}
