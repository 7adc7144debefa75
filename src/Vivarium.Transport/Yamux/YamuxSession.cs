using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Win32.SafeHandles;
using Vivarium.Transport.Io;
using Vivarium.Wire.Errors;

namespace Vivarium.Transport.Yamux;

/// <summary>
/// Many flow-controlled streams over one connection: yamux, protocol version 0, by its public specification
/// (https://github.com/hashicorp/yamux/blob/master/spec.md). On top of it every stream begins with two bytes, the port it is for, big-endian.
/// </summary>
/// <remarks>
/// A reader that does not read holds up its own stream only. A peer that breaks the protocol ends the session with a reason
/// (<see cref="Completed"/>); its memory on our side is bounded by <see cref="YamuxOptions"/>. There are no timers: an idle session costs nothing.
/// </remarks>
public sealed partial class YamuxSession : IAsyncDisposable
{
    private static readonly TimeSpan FarewellDeadline = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<uint, YamuxStream> _streams = [];
    private readonly Dictionary<uint, TaskCompletionSource> _pings = [];
    private readonly Channel<AcceptedStream> _accepted = Channel.CreateUnbounded<AcceptedStream>();
    private readonly TaskCompletionSource<SessionEnd> _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _closing = new();
    private readonly YamuxRole _role;
    private readonly bool _accepts;
    private readonly IByteSource _source;
    private readonly IByteSink _sink;
    private SessionEnd? _end;
    private uint _nextId;
    private uint _lastPing;
    private int _growth;
    private bool _peerGoingAway;

    /// <summary>Runs a session over two streams; it owns them from now on.</summary>
    public YamuxSession(Stream input, Stream output, YamuxRole role, YamuxOptions? options = null)
        : this(new StreamSource(input), new StreamSink(output), role, options)
    {
    }

    /// <summary>
    /// Runs a session over two pipe ends (or other descriptors that poll(2) knows); it owns them from now on and makes
    /// them non-blocking. One thread reads; writes leave from the caller's thread and memory.
    /// </summary>
    public YamuxSession(SafeFileHandle input, SafeFileHandle output, YamuxRole role, YamuxOptions? options = null)
        : this(new PipeSource(input), new PipeSink(output), role, options)
    {
    }

    private YamuxSession(IByteSource source, IByteSink sink, YamuxRole role, YamuxOptions? options)
    {
        Options = options ?? new YamuxOptions();
        _source = source;
        _sink = sink;
        _role = role;
        _accepts = Options.AcceptStreams ?? role == YamuxRole.Server;
        _nextId = role == YamuxRole.Client ? 1u : 2u;
        Writer = new FrameWriter(sink, Options.MaxBacklog) { Failed = Finish };
        if (Options.Restarts)
            BeginRestarted();
        if (source.Blocks)
            new Thread(() => RunAsync().GetAwaiter().GetResult(), 256 * 1024) { IsBackground = true, Name = "yamux-reader" }.Start();
        else
            _ = Task.Run(RunAsync);
    }

    /// <summary>Completes (never faults) when the session has ended, with the reason.</summary>
    public Task<SessionEnd> Completed => _completed.Task;

    /// <summary>Streams open now.</summary>
    public int OpenStreams
    {
        get
        {
            lock (_gate)
                return _streams.Count;
        }
    }

    internal YamuxOptions Options { get; }

    internal FrameWriter Writer { get; }

    /// <summary>Opens a stream to a port of the peer, 0 to 65535. No round trip: a refused port shows as a reset.</summary>
    /// <exception cref="VivariumException">unavailable: the session has ended; resource_exhausted: too many streams.</exception>
    public ValueTask<DuplexStream> OpenAsync(int port, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)port, ushort.MaxValue, nameof(port));
        YamuxStream stream;
        lock (_gate)
        {
            if (_end is not null)
                throw _end.ToException();
            if (_peerGoingAway)
                throw new VivariumException(ErrorCode.Unavailable, "the other side is going away and takes no new streams", reason: "peer_go_away");
            if (_streams.Count >= Options.MaxStreams)
                throw new VivariumException(ErrorCode.ResourceExhausted, $"{Options.MaxStreams} streams are open on this connection already", reason: "too_many_streams");
            if (_nextId > uint.MaxValue - 2)
                throw new VivariumException(ErrorCode.Unavailable, "the connection has used up its stream ids", reason: "stream_ids_exhausted");
            stream = new YamuxStream(this, _nextId, FrameFlags.Syn);
            _streams.Add(_nextId, stream);
            _nextId += 2;
        }

        var first = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(first, (ushort)port);
        var write = stream.WriteAsync(first, cancellationToken);
        return write.IsCompletedSuccessfully ? new ValueTask<DuplexStream>(stream) : FinishOpenAsync(stream, write);
    }

    /// <summary>The next stream the peer has opened, or null when the session has ended.</summary>
    public async ValueTask<AcceptedStream?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (await _accepted.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (_accepted.Reader.TryRead(out var accepted))
                return accepted;
        }

        return null;
    }

    /// <summary>Streams the peer opens, until the session ends.</summary>
    public async IAsyncEnumerable<AcceptedStream> AcceptAllAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (await AcceptAsync(cancellationToken).ConfigureAwait(false) is { } accepted)
            yield return accepted;
    }

    /// <summary>Sends a ping and waits for its answer; returns the round trip.</summary>
    public async ValueTask<TimeSpan> PingAsync(CancellationToken cancellationToken)
    {
        var pong = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        uint value;
        lock (_gate)
        {
            if (_end is not null)
                throw _end.ToException();
            value = ++_lastPing;
            _pings.Add(value, pong);
        }

        try
        {
            var start = Stopwatch.GetTimestamp();
            Writer.Post(new FrameHeader(FrameType.Ping, FrameFlags.Syn, 0, value));
            await pong.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            return Stopwatch.GetElapsedTime(start);
        }
        finally
        {
            lock (_gate)
                _pings.Remove(value);
        }
    }

    /// <summary>Tells the peer that no more streams are taken; those that are open go on.</summary>
    public void GoAway() => Writer.Post(new FrameHeader(FrameType.GoAway, FrameFlags.None, 0, (uint)GoAwayCode.Normal));

    /// <summary>Sends what is still under way (for up to a second), says good-bye and ends every stream.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_completed.Task.IsCompleted)
        {
            GoAway();
            try
            {
                await Writer.WhenIdleAsync().WaitAsync(FarewellDeadline).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                // The peer does not read; it will notice the closed connection.
            }
        }

        Finish(new SessionEnd("closed", "it was closed on this side"));
        await _completed.Task.ConfigureAwait(false);
    }

    /// <summary>Reserves growth of a stream's window.</summary>
    internal bool TryGrow(int bytes)
    {
        if (Interlocked.Add(ref _growth, bytes) <= Options.MaxWindowGrowth)
            return true;
        Interlocked.Add(ref _growth, -bytes);
        return false;
    }

    /// <summary>Takes a stream out of the table; frames that still come for it are skipped.</summary>
    internal void Forget(YamuxStream stream)
    {
        lock (_gate)
        {
            if (!_streams.Remove(stream.Id))
                return;
        }

        Interlocked.Add(ref _growth, -stream.WindowGrowth);
    }

    private static async ValueTask<DuplexStream> FinishOpenAsync(YamuxStream stream, ValueTask write)
    {
        try
        {
            await write.ConfigureAwait(false);
            return stream;
        }
        catch
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The one way a session ends; the first reason stays.</summary>
    private void Finish(SessionEnd end)
    {
        YamuxStream[] streams;
        TaskCompletionSource[] pings;
        TaskCompletionSource? hold;
        lock (_gate)
        {
            if (_end is not null)
                return;
            _end = end;
            hold = _hold;
            streams = [.. _streams.Values];
            pings = [.. _pings.Values];
            _streams.Clear();
        }

        Writer.Abort(end);
        foreach (var stream in streams)
            stream.OnSessionEnd(end);
        foreach (var ping in pings)
            ping.TrySetException(end.ToException());
        hold?.TrySetException(end.ToException());
        _accepted.Writer.TryComplete();
        _closing.Cancel();
        _source.Interrupt();
        _sink.Dispose();
        _completed.TrySetResult(end);
    }
}
