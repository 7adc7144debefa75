using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.IO;
using Vivarium.Transport.Yamux;

namespace Vivarium.Transport.Tests.Support;

/// <summary>A session over real pipes with a test that speaks raw bytes on the other end.</summary>
internal sealed class PipePeer : IAsyncDisposable
{
    private readonly FileStream _toSession;
    private readonly FileStream _fromSession;

    public PipePeer(YamuxRole role, YamuxOptions? options = null)
    {
        var (inRead, inWrite) = Pipe.Create();
        var (outRead, outWrite) = Pipe.Create();
        Session = new YamuxSession(inRead, outWrite, role, options);
        _toSession = new FileStream(inWrite, FileAccess.Write, 0);
        _fromSession = new FileStream(outRead, FileAccess.Read, 0);
    }

    public YamuxSession Session { get; }

    public void Send(params byte[] bytes) => _toSession.Write(bytes);

    public void SendFrame(byte type, ushort flags, uint stream, uint length, byte[]? payload = null, byte version = 0)
    {
        var frame = new byte[12 + (payload?.Length ?? 0)];
        frame[0] = version;
        frame[1] = type;
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), flags);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(4), stream);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(8), length);
        payload?.CopyTo(frame, 12);
        _toSession.Write(frame);
    }

    public async Task<byte[]> ReceiveAsync(int count)
    {
        var bytes = new byte[count];
        using var limit = new CancellationTokenSource(Limits.Wait);
        await _fromSession.ReadExactlyAsync(bytes, limit.Token);
        return bytes;
    }

    public async Task<SessionEnd> EndAsync() => await Session.Completed.WaitAsync(Limits.Wait);

    /// <summary>Closes the test's writing end.</summary>
    public void HangUp() => _toSession.Dispose();

    public async ValueTask DisposeAsync()
    {
        await _toSession.DisposeAsync();
        await _fromSession.DisposeAsync();
        await Session.DisposeAsync();
    }

    /// <summary>Two sessions joined by two pipes.</summary>
    public static (YamuxSession Client, YamuxSession Server) Pair(YamuxOptions? options = null)
    {
        var (ar, aw) = Pipe.Create();
        var (br, bw) = Pipe.Create();
        return (new YamuxSession(ar, bw, YamuxRole.Client, options), new YamuxSession(br, aw, YamuxRole.Server, options));
    }

    /// <summary>Two sessions joined by streams instead of descriptors.</summary>
    public static (YamuxSession Client, YamuxSession Server) StreamPairOf()
    {
        var (ar, aw) = Pipe.Create();
        var (br, bw) = Pipe.Create();
        return (new YamuxSession(Take(ar), Take(bw), YamuxRole.Client), new YamuxSession(Take(br), Take(aw), YamuxRole.Server));

        static PollableFd Take(SafeFileHandle fd) => PollableFd.Take(fd);
    }
}
