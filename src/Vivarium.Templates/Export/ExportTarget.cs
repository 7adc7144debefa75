using System.Net.Sockets;
using Vivarium.Linux.Files;
using Vivarium.Linux.IO;
using Vivarium.Wire.Errors;

namespace Vivarium.Templates.Export;

/// <summary>
/// Where an export goes: a new file, or what a process has open (<c>/proc/PID/fd/N</c>), so that a client writes with its own rights and gets a pipe's end
/// without the daemon making anything.
/// </summary>
internal sealed class ExportTarget : Stream
{
    private readonly Stream inner;
    private readonly string? made;
    private readonly CancellationToken cancellationToken;

    private ExportTarget(Stream inner, string? made, CancellationToken cancellationToken)
    {
        this.inner = inner;
        this.made = made;
        this.cancellationToken = cancellationToken;
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    internal long Count { get; private set; }

    internal static ExportTarget Open(string path, CancellationToken cancellationToken)
    {
        if (!path.StartsWith('/') || path.Contains('\0'))
        {
            throw Bad(path, "is not absolute");
        }

        try
        {
            if (!path.StartsWith("/proc/", StringComparison.Ordinal))
            {
                var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
                return new ExportTarget(new FileStream(path, options), path, cancellationToken);
            }

            var status = FileStatus.Find(path) ?? throw Bad(path, "is not open");
            return status.Kind switch
            {
                FileKind.Regular => new ExportTarget(
                    new FileStream(path, new FileStreamOptions { Mode = FileMode.Open, Access = FileAccess.Write, Share = FileShare.ReadWrite, BufferSize = 0 }), null, cancellationToken),
                FileKind.Fifo => new ExportTarget(PollableFd.Take(Pipe.OpenWriteEnd(path)), null, cancellationToken),
                _ => throw Bad(path, "is neither a file nor a pipe"),
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Bad(path, $"cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Takes a file away again that was made here.</summary>
    internal void Discard()
    {
        if (made is not null)
        {
            File.Delete(made);
        }
    }

    public override void Write(byte[] buffer, int offset, int count)
    {
        cancellationToken.ThrowIfCancellationRequested();

        // A pipe whose reader stands still holds this thread, not the cancellation.
        try
        {
            inner.WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask().GetAwaiter().GetResult();
        }
        catch (SocketException e)
        {
            throw new IOException("whoever read it is gone", e);
        }

        Count += count;
    }

    public override void Write(ReadOnlySpan<byte> buffer) => Write(buffer.ToArray(), 0, buffer.Length);

    public override void Flush() => inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        inner.Dispose();
        base.Dispose(disposing);
    }

    private static VivariumException Bad(string path, string why, Exception? inner = null) => new(
        ErrorCode.InvalidArgument,
        $"the export cannot go to {Import.ImportErrors.Quote(path)}: it {why}",
        "give a file that does not exist yet, in a directory that does",
        "bad_target",
        inner);
}
