using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Linux.IO;

/// <summary>
/// Any pollable descriptor (pipe, terminal, socket, inotify, timerfd) as a stream on the runtime's own epoll: no thread waits for it. .NET
/// reads and writes a descriptor that is no socket with read(2) and write(2) once it is wrapped in <see cref="Socket"/>.
/// </summary>
/// <remarks>
/// The descriptor becomes non-blocking, and that is a property of the open file: an end shared with another process becomes so
/// there too. The end of a terminal (EIO once its other side is closed) reads as end of stream.
/// </remarks>
#pragma warning disable CA1710 // It is a descriptor first.
public sealed class PollableFd : Stream
#pragma warning restore CA1710
{
    private readonly Socket socket;

    private PollableFd(Socket socket) => this.socket = socket;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The descriptor, valid until this is disposed.</summary>
    public System.Runtime.InteropServices.SafeHandle Handle => socket.SafeHandle;

    /// <summary>Takes over a descriptor; <paramref name="handle"/> must not be used any more.</summary>
    public static PollableFd Take(SafeFileHandle handle)
    {
        var fd = handle.DangerousGetHandle();
        handle.SetHandleAsInvalid();
        return new PollableFd(new Socket(new SafeSocketHandle(fd, ownsHandle: true)));
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken).ConfigureAwait(false);
        }
        catch (SocketException e) when (IsTerminalEnd(e))
        {
            return 0;
        }
    }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (buffer.Length > 0)
        {
            buffer = buffer[await socket.SendAsync(buffer, SocketFlags.None, cancellationToken).ConfigureAwait(false)..];
        }
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>Not supported: this type exists so that no thread waits.</summary>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("use ReadAsync");

    /// <summary>Not supported: this type exists so that no thread waits.</summary>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("use WriteAsync");

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            socket.Dispose();
        }

        base.Dispose(disposing);
    }

    // EIO has no SocketError, so it arrives as the general one.
    private static bool IsTerminalEnd(SocketException e) => e.SocketErrorCode == SocketError.SocketError;
}
