using System.Buffers.Binary;

namespace Vivarium.Transport.Yamux;

/// <summary>What the receiving side of the session calls.</summary>
internal sealed partial class YamuxStream
{
    /// <summary>Takes credit for a data frame; false when the peer overran the window.</summary>
    public bool Admit(uint length)
    {
        lock (_gate)
        {
            if (length > _peerMaySend)
                return false;
            _peerMaySend -= length;
            return true;
        }
    }

    /// <summary>Adds bytes by copying.</summary>
    public void Deliver(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            if (_disposed || _finReceived || _reset)
                return;
            _received.Append(bytes);
            Wake(ref _readWait);
        }
    }

    /// <summary>Adds bytes by taking over the pooled array.</summary>
    public void Deliver(byte[] pooled, int length)
    {
        lock (_gate)
        {
            if (!(_disposed || _finReceived || _reset))
            {
                _received.Append(pooled, length);
                Wake(ref _readWait);
                return;
            }
        }

        PiecePool.Return(pooled);
    }

    /// <summary>The port a stream of the peer begins with, as soon as both bytes are there.</summary>
    public bool TryTakePort(out int port)
    {
        Span<byte> bytes = stackalloc byte[2];
        lock (_gate)
        {
            port = 0;
            if (_received.Length < 2)
                return false;
            _ = _received.Read(bytes);
            _unreported += 2;
        }

        port = BinaryPrimitives.ReadUInt16BigEndian(bytes);
        return true;
    }

    public bool AddSendWindow(uint delta)
    {
        lock (_gate)
        {
            _sendWindow += delta;
            if (_sendWindow > int.MaxValue)
                return false;
            if (_sendWindow > 0)
                Wake(ref _windowWait);
            return true;
        }
    }

    /// <summary>The peer will send no more. True when both sides are done.</summary>
    public bool OnFin()
    {
        lock (_gate)
        {
            _finReceived = true;
            Wake(ref _readWait);
            return _finSent;
        }
    }

    public void OnReset()
    {
        lock (_gate)
        {
            _reset = true;
            Wake(ref _readWait);
            Wake(ref _windowWait);
        }
    }

    public void OnSessionEnd(SessionEnd end)
    {
        lock (_gate)
        {
            _sessionEnd = end;
            Wake(ref _readWait);
            Wake(ref _windowWait);
        }
    }
}
