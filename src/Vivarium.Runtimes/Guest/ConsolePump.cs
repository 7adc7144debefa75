using System.Text;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.IO;

namespace Vivarium.Runtimes.Guest;

/// <summary>Carries an agent's standard error to the console sink and keeps its last words for error messages.</summary>
internal sealed class ConsolePump
{
    private const int TailBytes = 4096;

    private readonly Lock gate = new();
    private readonly byte[] tail = new byte[TailBytes];
    private int tailLength;

    private ConsolePump()
    {
    }

    /// <summary>Completes when the last holder of the pipe's other end is gone.</summary>
    public Task Completed { get; private set; } = Task.CompletedTask;

    /// <summary>The last non-empty line said, cut at 500 characters; empty when nothing was said.</summary>
    public string LastLine
    {
        get
        {
            lock (gate)
            {
                var text = Encoding.UTF8.GetString(tail, 0, tailLength).TrimEnd();
                var line = text[(text.LastIndexOf('\n') + 1)..].Trim();
                return line.Length > 500 ? line[..500] : line;
            }
        }
    }

    /// <summary>Starts pumping; takes the pipe over.</summary>
    public static ConsolePump Start(SafeFileHandle pipe, Stream sink)
    {
        var pump = new ConsolePump();
        pump.Completed = pump.RunAsync(PollableFd.Take(pipe), sink);
        return pump;
    }

    private async Task RunAsync(PollableFd source, Stream sink)
    {
        await using var _ = source.ConfigureAwait(false);
        var buffer = new byte[4096];
        try
        {
            // No cancellation: it ends when the sandbox's processes have, and those are ended first.
            while (await source.ReadAsync(buffer, CancellationToken.None).ConfigureAwait(false) is var n and > 0)
            {
                Keep(buffer.AsSpan(0, n));
                await sink.WriteAsync(buffer.AsMemory(0, n), CancellationToken.None).ConfigureAwait(false);
            }
        }
        catch (IOException)
        {
            // The console is a diagnosis, never a reason to fail a sandbox.
        }
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        lock (gate)
        {
            bytes = bytes.Length > TailBytes ? bytes[^TailBytes..] : bytes;
            var old = Math.Min(tailLength, TailBytes - bytes.Length);
            tail.AsSpan(tailLength - old, old).CopyTo(tail);
            bytes.CopyTo(tail.AsSpan(old));
            tailLength = old + bytes.Length;
        }
    }
}
