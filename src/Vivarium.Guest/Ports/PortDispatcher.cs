using Vivarium.Guest.Init;
using Vivarium.Transport;
using Vivarium.Transport.Yamux;
using Vivarium.Wire.Errors;

namespace Vivarium.Guest.Ports;

/// <summary>Takes streams from the multiplexer and gives each to the handler of its port. A refused stream is reset.</summary>
internal sealed class PortDispatcher
{
    private readonly Dictionary<int, Entry> _entries = [];
    private readonly TokenGate _gate;

    public PortDispatcher(TokenGate gate, IEnumerable<IPortHandler> handlers)
    {
        _gate = gate;
        foreach (var handler in handlers)
        {
            _entries.Add(handler.Port, new Entry(handler));
        }
    }

    /// <summary>Runs until the session ends or the token is cancelled.</summary>
    public async Task RunAsync(YamuxSession session, CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            while (await session.AcceptAsync(cancellationToken) is { } accepted)
            {
                if (_entries.TryGetValue(accepted.Port, out var entry) && (_gate.IsOpen || entry.Handler.OpenBeforeHello) && entry.TryEnter())
                {
                    _ = Task.Run(() => ServeAsync(entry, accepted.Stream, ending.Token), CancellationToken.None);
                }
                else
                {
                    await accepted.Stream.DisposeAsync();
                }
            }
        }
        finally
        {
            await ending.CancelAsync();
        }
    }

    private static async Task ServeAsync(Entry entry, DuplexStream stream, CancellationToken cancellationToken)
    {
        try
        {
            await entry.Handler.ServeAsync(stream, cancellationToken);
        }
        catch (Exception e)
        {
            // A connection that breaks is daily life; a defect of ours shows here too, so the console gets one line.
            if (e is not (OperationCanceledException or IOException or InvalidDataException or ObjectDisposedException or VivariumException { Code: ErrorCode.Unavailable }))
            {
                ConsoleLog.Write($"port {entry.Handler.Port}: {e.GetType().Name}: {e.Message}");
            }
        }
        finally
        {
            entry.Leave();
            await stream.DisposeAsync();
        }
    }

    private sealed class Entry(IPortHandler handler)
    {
        private int _open;

        public IPortHandler Handler => handler;

        public bool TryEnter()
        {
            if (Interlocked.Increment(ref _open) <= handler.MaxConnections)
            {
                return true;
            }

            Leave();
            return false;
        }

        public void Leave() => Interlocked.Decrement(ref _open);
    }
}
