using Vivarium.Wire.Errors;

namespace Vivarium.Transport.Yamux;

/// <summary>
/// Standing still, so that the server's side can be saved with its memory: the client asks, both sides stop at the end of a frame, and nothing is under way in either
/// direction. Then the same connection goes on, or the saved side comes back with another one and is told so first of all.
/// </summary>
public sealed partial class YamuxSession
{
    private TaskCompletionSource? _hold;
    private Task _holding = Task.CompletedTask;
    private bool _heldByPeer;

    /// <summary>Why the session ended; null while it goes on.</summary>
    public SessionEnd? End
    {
        get
        {
            lock (_gate)
                return _end;
        }
    }

    /// <summary>
    /// Client only: returns when nothing moves in either direction any more. Whoever gives up waiting ends the hold with <see cref="Continue"/> all the same.
    /// </summary>
    public async Task HoldAsync(CancellationToken cancellationToken)
    {
        var answered = NewHold();
        _holding = Writer.HoldAsync(new FrameHeader(FrameType.Hold, FrameFlags.Syn, 0, 0), CancellationToken.None).AsTask();
        await _holding.WaitAsync(cancellationToken).ConfigureAwait(false);
        await answered.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Client only: ends a hold; both sides go on where they were.</summary>
    public void Continue()
    {
        lock (_gate)
        {
            if (_hold is null || _end is not null)
                return;
            _hold = null;
        }

        _ = LetGoAsync(new FrameHeader(FrameType.Hold, FrameFlags.Fin, 0, 0));
    }

    /// <summary>For a client made with <see cref="YamuxOptions.Restarts"/>: returns when the peer knows that its connection is new.</summary>
    public Task RestartedAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource? hold;
        lock (_gate)
            hold = _hold;
        return hold?.Task.WaitAsync(cancellationToken) ?? Task.CompletedTask;
    }

    /// <summary>Before anything else is sent: a client tells its peer that it was brought back, a server that it knows.</summary>
    private void BeginRestarted()
    {
        if (_role == YamuxRole.Server)
        {
            Writer.Post(new FrameHeader(FrameType.Hold, FrameFlags.Rst | FrameFlags.Ack, 0, 0));
            return;
        }

        NewHold();
        _holding = Writer.HoldAsync(new FrameHeader(FrameType.Hold, FrameFlags.Rst, 0, 0), CancellationToken.None).AsTask();
    }

    private async Task LetGoAsync(FrameHeader? first)
    {
        // Given up while it still waited for its turn: it must have had it before it can be let go.
        await _holding.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_holding.IsCompletedSuccessfully)
            Writer.EndHold(first);
    }

    private TaskCompletionSource NewHold()
    {
        lock (_gate)
        {
            if (_end is not null)
                throw _end.ToException();
            if (_hold is not null || _role != YamuxRole.Client)
                throw new VivariumException(ErrorCode.FailedPrecondition, "the connection stands still already, or is not this side's to hold", reason: "held");
            return _hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>True when this side was told that it was brought back from memory.</summary>
    private async ValueTask<bool> OnHoldAsync(FrameHeader header)
    {
        switch (header.Flags)
        {
            case FrameFlags.Syn when _role == YamuxRole.Server && !_heldByPeer:
                _heldByPeer = true;
                await Writer.HoldAsync(new FrameHeader(FrameType.Hold, FrameFlags.Ack, 0, 0), _closing.Token).ConfigureAwait(false);
                return false;
            case FrameFlags.Fin when _heldByPeer:
                _heldByPeer = false;
                Writer.EndHold();
                return false;
            case FrameFlags.Rst when _heldByPeer:
                return true;
            case FrameFlags.Ack or (FrameFlags.Rst | FrameFlags.Ack) when _role == YamuxRole.Client:
                TaskCompletionSource? answered;
                lock (_gate)
                    answered = _hold;
                if (answered is null)
                    return false; // given up meanwhile; the end of the hold is on its way
                if (header.Flags.HasFlag(FrameFlags.Rst))
                {
                    lock (_gate)
                        _hold = null;
                    _ = LetGoAsync(null);
                }

                answered.TrySetResult();
                return false;
            default:
                throw new ProtocolViolationException("the peer held a connection that is not its to hold");
        }
    }
}
