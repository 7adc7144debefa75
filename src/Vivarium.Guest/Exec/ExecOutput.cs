using System.Buffers;
using Vivarium.Guest.Processes;
using Vivarium.Transport;

namespace Vivarium.Guest.Exec;

/// <summary>Sends a process's output, then its exit, to one connection. Blocks go out as they lie in the log, header included, without another copy.</summary>
internal static class ExecOutput
{
    private const int CopyBelow = 32 * 1024;

    /// <summary>Runs until the exit has been sent.</summary>
    public static async Task SendAsync(DuplexStream stream, SemaphoreSlim writing, ManagedProcess process, OutputCursor cursor, CancellationToken cancellationToken)
    {
        while (true)
        {
            var piece = process.Output.Take(cursor, out var finished);
            if (finished)
            {
                break;
            }

            if (piece is not { } output)
            {
                using (cancellationToken.UnsafeRegister(static state => ((OutputCursor)state!).More.Set(), cursor))
                {
                    await cursor.More.WaitAsync();
                }

                cancellationToken.ThrowIfCancellationRequested();
                continue;
            }

            var sent = false;
            try
            {
                await writing.WaitAsync(cancellationToken);
                try
                {
                    await SendAsync(stream, output, cancellationToken);
                    sent = true;
                }
                finally
                {
                    writing.Release();
                }
            }
            finally
            {
                process.Output.Release(cursor, output, sent);
            }
        }

        var exit = await process.Exited.WaitAsync(cancellationToken);
        await writing.WaitAsync(cancellationToken);
        try
        {
            await stream.WriteAsync(ExecFrame.Control(exit), cancellationToken);
        }
        finally
        {
            writing.Release();
        }
    }

    private static async ValueTask SendAsync(DuplexStream stream, OutputPiece piece, CancellationToken cancellationToken)
    {
        var (block, position, length, ownsHeader) = piece;
        if (ownsHeader)
        {
            ExecFrame.WriteHeader(block.Buffer, block.Channel, length);
            await stream.WriteAsync(block.Buffer.AsMemory(0, ExecFrame.HeaderBytes + length), cancellationToken);
            return;
        }

        var data = block.Buffer.AsMemory(OutputBlock.HeaderBytes + position, length);
        var copied = length < CopyBelow ? length : 0;
        var frame = ArrayPool<byte>.Shared.Rent(ExecFrame.HeaderBytes + copied);
        try
        {
            ExecFrame.WriteHeader(frame, block.Channel, length);
            data[..copied].CopyTo(frame.AsMemory(ExecFrame.HeaderBytes));
            await stream.WriteAsync(frame.AsMemory(0, ExecFrame.HeaderBytes + copied), cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(frame);
        }

        if (copied == 0)
        {
            await stream.WriteAsync(data, cancellationToken);
        }
    }
}
