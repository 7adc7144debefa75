using System.Globalization;
using System.Text;

namespace Vivarium.Supervisor.Logs;

/// <summary>
/// An append-only file of bounded size: when the next write would pass the limit, it becomes <c>NAME.1</c> (replacing an older one) and a new one is
/// begun. So at most twice the limit is on disk, and the newest limit's worth at least. Any number of writers. <c>NAME.base</c> holds the offset, over the
/// whole life of the log, at which the current file begins, so that readers can count through rotations.
/// </summary>
internal sealed class RotatingFile : Stream
{
    private readonly Lock gate = new();
    private readonly string path;
    private readonly long maxBytes;
    private FileStream? file;
    private long length;
    private long begin;

    /// <summary>Nothing is created before the first write.</summary>
    public RotatingFile(string path, long maxBytes)
    {
        this.path = path;
        this.maxBytes = Math.Max(maxBytes, 4096);
    }

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Appends. A full disk loses the bytes, never the sandbox.</summary>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        lock (gate)
        {
            try
            {
                file ??= Open();
                if (length > 0 && length + buffer.Length > maxBytes)
                {
                    file.Dispose();
                    file = null;
                    begin += length;
                    File.Move(path, path + ".1", overwrite: true);
                    WriteBegin();
                    file = Open();
                }

                file.Write(buffer);
                length += buffer.Length;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // There is nowhere left to say it.
            }
        }
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Write(buffer.Span);
        return default;
    }

    /// <inheritdoc/>
    public override void Flush()
    {
        // Every write goes to the kernel at once.
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        lock (gate)
        {
            file?.Dispose();
            file = null;
        }

        base.Dispose(disposing);
    }

    private FileStream Open()
    {
        var opened = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Append,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead,
        });
        length = opened.Length;
        begin = begin == 0 ? ReadBegin() : begin;
        return opened;
    }

    private long ReadBegin()
    {
        try
        {
            return long.TryParse(File.ReadAllText(path + ".base"), NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var value) ? value : 0;
        }
        catch (FileNotFoundException)
        {
            return 0;
        }
    }

    private void WriteBegin()
    {
        using (var fresh = new FileStream(path + ".base.new", FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0))
        {
            fresh.Write(Encoding.ASCII.GetBytes(begin.ToString(CultureInfo.InvariantCulture) + "\n"));
        }

        File.Move(path + ".base.new", path + ".base", overwrite: true);
    }
}
