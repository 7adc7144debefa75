using System.Buffers.Binary;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Streams;
using Vivarium.Cli.Terminal;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Cli.Copy;

/// <summary>Requests on a files-port stream, with their content in chunks. A guest that refuses in the middle of content is heard at once.</summary>
internal sealed class FileSession(UnixConnection stream, SignalPipe? signals) : IDisposable
{
    public const int ChunkBytes = 256 * 1024;
    private static readonly TimeSpan ReplyTimeout = TimeSpan.FromMinutes(5);
    private readonly byte[] _prefix = new byte[4];
    private int _chunkLeft;

    /// <summary>A request without content going in.</summary>
    public FileReply Call(FileRequest request)
    {
        GuestStream.SendLine(stream, request, GuestJson.Default.FileRequest);
        return Reply();
    }

    /// <summary>What is at a path; null when nothing is.</summary>
    public FileEntry? Stat(string path, string? user)
    {
        try
        {
            return Call(new FileRequest { Op = "stat", Path = path, User = user }).Entry;
        }
        catch (VivariumException e) when (e.Code == ErrorCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>Begins a request with content going in.</summary>
    public void BeginContent(FileRequest request) => GuestStream.SendLine(stream, request, GuestJson.Default.FileRequest);

    /// <summary>One chunk of content; an early answer of the guest is thrown.</summary>
    public void SendChunk(ReadOnlySpan<byte> bytes)
    {
        BinaryPrimitives.WriteInt32BigEndian(_prefix, bytes.Length);
        Push(_prefix);
        Push(bytes);
    }

    /// <summary>Ends the content and takes the answer.</summary>
    public FileReply EndContent()
    {
        Push([0, 0, 0, 0]);
        return Reply();
    }

    /// <summary>The next bytes of content coming out, 0 at its end.</summary>
    public int ReadContent(Span<byte> target)
    {
        var wait = new ConnectionWait(ReplyTimeout, signals);
        if (_chunkLeft == 0)
        {
            ReadExactly(_prefix, wait);
            var length = BinaryPrimitives.ReadUInt32BigEndian(_prefix);
            if (length > FileRequest.MaxChunkBytes)
            {
                throw new VivariumException(ErrorCode.Internal, $"the sandbox sent a chunk of {length} bytes, more than allowed");
            }

            _chunkLeft = (int)length;
            if (length == 0)
            {
                return 0;
            }
        }

        var count = stream.Read(target[..Math.Min(target.Length, _chunkLeft)], wait);
        if (count == 0)
        {
            throw UnixConnection.Gone();
        }

        _chunkLeft -= count;
        return count;
    }

    public FileReply Reply()
    {
        var reply = GuestStream.ReadLine(stream, GuestJson.Default.FileReply, new ConnectionWait(ReplyTimeout, signals));
        return reply.Error is { } error ? throw VivariumException.From(error) : reply;
    }

    public void Dispose() => stream.Dispose();

    private void ReadExactly(Span<byte> target, ConnectionWait wait)
    {
        while (!target.IsEmpty)
        {
            var count = stream.Read(target, wait);
            if (count == 0)
            {
                throw UnixConnection.Gone();
            }

            target = target[count..];
        }
    }

    private unsafe void Push(ReadOnlySpan<byte> bytes)
    {
        Fd.SetNonBlocking(stream.Descriptor, true);
        var entries = stackalloc Posix.PollFd[2];
        while (!bytes.IsEmpty)
        {
            var count = Fd.Write(stream.Descriptor, bytes);
            if (count == -2)
            {
                throw Refused();
            }

            if (count > 0)
            {
                bytes = bytes[count..];
                continue;
            }

            entries[0] = new Posix.PollFd { Fd = stream.Descriptor, Events = Posix.POLLIN | Posix.POLLOUT };
            entries[1] = new Posix.PollFd { Fd = signals?.Descriptor ?? -1, Events = Posix.POLLIN };

            // SAFETY: two entries on the stack, count 2.
            if (Posix.poll(entries, 2, (int)ReplyTimeout.TotalMilliseconds) == 0)
            {
                throw new VivariumException(ErrorCode.DeadlineExceeded, "the sandbox has taken nothing for five minutes");
            }

            if (entries[1].Revents != 0 && signals!.Take() is var signal and > 0)
            {
                throw new InterruptedException(signal);
            }

            if ((entries[0].Revents & Posix.POLLIN) != 0)
            {
                throw Refused();
            }
        }
    }

    /// <summary>The guest answered before the content's end: its reason, or at least that it did.</summary>
    private VivariumException Refused()
    {
        Reply();
        return UnixConnection.Gone();
    }
}
