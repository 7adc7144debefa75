using System.Runtime.InteropServices;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Terminal;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Cli.Streams;

/// <summary>
/// Joins our standard streams and terminal to a process in a sandbox: one thread, one poll(2) over the stream, standard input and signals. Output is
/// written from the receive buffer; a reader that is slow slows the process down, and never keeps input or signals from going through for long.
/// </summary>
internal sealed class ExecSession : IDisposable
{
    /// <summary>Reason of the error when the stream ends before the process.</summary>
    public const string StreamEnded = "stream_ended";

    private const int InputChunk = 64 * 1024;
    private const int LargePipe = 1024 * 1024;
    private const long Bulk = 4 * 1024 * 1024;
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);
    private readonly UnixConnection _stream;
    private readonly ExecOptions _options;
    private readonly Stdio _stdio;
    private readonly ExecFrames _frames;
    private readonly ExecOutbox _outbox;
    private readonly byte[] _received = new byte[256 * 1024];
    private readonly byte[] _typed = new byte[InputChunk];
    private readonly DetachKeys? _detachKeys;
    private ExecControl? _exit;
    private bool _inputOpen;
    private long _carried;
    private bool _enlarged;
    private int _interrupts;

    private ExecSession(UnixConnection stream, ExecOptions options, Stdio stdio, int pid)
    {
        _stream = stream;
        _options = options;
        _stdio = stdio;
        Pid = pid;
        _inputOpen = options.Stdin;
        _detachKeys = options.DetachKeys ? new DetachKeys() : null;
        _frames = new ExecFrames(WriteOutput, TakeControl);
        _outbox = new ExecOutbox(stream.Descriptor);
    }

    public int Pid { get; }

    /// <summary>Sends the request on a fresh stream of the exec port and takes the answer.</summary>
    public static ExecSession Start(UnixConnection stream, ExecRequest request, ExecOptions options, Stdio stdio, SignalPipe? signals = null)
    {
        GuestStream.SendLine(stream, request, GuestJson.Default.ExecRequest);
        var reply = GuestStream.ReadLine(stream, GuestJson.Default.ExecReply, new ConnectionWait(StartTimeout, signals));
        return reply.Error is { } error
            ? throw VivariumException.From(error)
            : new ExecSession(stream, options, stdio, reply.Pid ?? throw new VivariumException(ErrorCode.Internal, "the sandbox did not say which process it started"));
    }

    /// <summary>Carries bytes until the process has ended or we leave it.</summary>
    public ExecOutcome Run(SignalPipe signals)
    {
        using var raw = _options is { Tty: true, Stdin: true } ? RawMode.TryEnter(_stdio.Input) : null;
        signals.BeforeHardExit = () => raw?.Dispose();
        Fd.SetNonBlocking(_stream.Descriptor, true);
        var open = _frames.Take(_stream.Received);
        _stream.Consume(_stream.Received.Length);
        while (open && _exit is null)
        {
            var (streamReady, inputReady, signalReady) = Wait(signals);
            if (signalReady && signals.Take() is var signal and > 0)
            {
                TakeSignal(signal, raw);
            }

            if (streamReady)
            {
                var count = Fd.Read(_stream.Descriptor, _received);
                NoteBulk(count);
                if (count == 0)
                {
                    throw new VivariumException(ErrorCode.Unavailable, "the sandbox ended before the command did", "'viv show' says what happened to it", StreamEnded);
                }

                open = count < 0 || _frames.Take(_received.AsSpan(0, count));
            }

            if (inputReady && _outbox.Empty && !ReadInput())
            {
                return new ExecOutcome(null, Detached: true);
            }

            _outbox.Flush();
        }

        return new ExecOutcome(_exit, OutputClosed: !open);
    }

    public void Dispose() => _stream.Dispose();

    private unsafe (bool Stream, bool Input, bool Signal) Wait(SignalPipe signals)
    {
        var entries = stackalloc Posix.PollFd[3];
        entries[0] = new Posix.PollFd { Fd = _stream.Descriptor, Events = (short)(Posix.POLLIN | (_outbox.Empty ? 0 : Posix.POLLOUT)) };
        entries[1] = new Posix.PollFd { Fd = _inputOpen && _outbox.Empty ? _stdio.Input : -1, Events = Posix.POLLIN };
        entries[2] = new Posix.PollFd { Fd = signals.Descriptor, Events = Posix.POLLIN };

        // SAFETY: three entries on the stack, count 3.
        while (Posix.poll(entries, 3, -1) < 0)
        {
            if (Marshal.GetLastPInvokeError() != Posix.EINTR)
            {
                throw Fd.Failed("poll", _stream.Descriptor, Marshal.GetLastPInvokeError());
            }
        }

        return ((entries[0].Revents & (Posix.POLLIN | Posix.POLLHUP | Posix.POLLERR)) != 0, entries[1].Revents != 0, entries[2].Revents != 0);
    }

    /// <summary>Much output into a pipe: a larger pipe means fewer turns between its reader and us.</summary>
    private void NoteBulk(int count)
    {
        _carried += count;
        if (_carried >= Bulk && !_enlarged)
        {
            _enlarged = true;
            Fd.TryEnlargePipe(_stdio.Output, LargePipe);
        }
    }

    private bool WriteOutput(byte channel, ReadOnlySpan<byte> bytes) => channel switch
    {
        ExecChannel.Stdout or ExecChannel.Pty => Fd.WriteAll(_stdio.Output, bytes),
        ExecChannel.Stderr => Fd.WriteAll(_stdio.Error, bytes),
        _ => true, // a channel of a newer guest
    };

    private void TakeControl(ExecControl message)
    {
        if (message.Type == "exit")
        {
            _exit = message;
        }
    }

    /// <summary>Forwards what was typed or piped; false when the detach keys were pressed.</summary>
    private bool ReadInput()
    {
        var count = Fd.Read(_stdio.Input, _typed);
        if (count < 0)
        {
            return true;
        }

        if (count == 0)
        {
            _inputOpen = false;
            _outbox.Add(ExecChannel.Stdin, []);
            return true;
        }

        if (_detachKeys is null)
        {
            _outbox.Add(ExecChannel.Stdin, _typed.AsSpan(0, count));
            return true;
        }

        Span<byte> kept = count < 512 ? stackalloc byte[count + 1] : new byte[count + 1];
        var (length, detach) = _detachKeys.Filter(_typed.AsSpan(0, count), kept);
        if (length > 0)
        {
            _outbox.Add(ExecChannel.Stdin, kept[..length]);
        }

        return !detach;
    }

    private void TakeSignal(int signal, RawMode? raw)
    {
        switch (signal)
        {
            case 18: // SIGCONT: the shell has had the terminal
                raw?.Enter();
                SendSize();
                break;
            case 28: // SIGWINCH
                SendSize();
                break;
            default:
                if (!_options.ForwardSignals || ++_interrupts > 2)
                {
                    throw new InterruptedException(signal);
                }

                _outbox.Add(new ExecControl { Type = "signal", Signal = signal });
                break;
        }
    }

    private void SendSize()
    {
        if (_options.Tty && (TerminalSize.Of(_stdio.Input) ?? TerminalSize.Of(_stdio.Output)) is { } size)
        {
            _outbox.Add(new ExecControl { Type = "resize", Cols = size.Cols, Rows = size.Rows });
        }
    }
}
