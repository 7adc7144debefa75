using System.Buffers;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.IO;

namespace Vivarium.Linux.Processes;

/// <summary>Runs a program to its end and captures what it says. For tools such as mkfs and runc; long-lived children use <see cref="ChildProcess"/>.</summary>
public static class ChildRun
{
    /// <summary>How long output may go on after the program has ended: a child of it may hold the pipes for ever.</summary>
    private static readonly TimeSpan DrainGrace = TimeSpan.FromMilliseconds(250);

    /// <summary>Runs <paramref name="file"/> (looked up in PATH when it has no slash) in its own session. A bad exit code is not an exception.</summary>
    /// <exception cref="SpawnException">It could not be started.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; its process group has been killed.</exception>
    public static async Task<ChildOutput> RunAsync(string file, IReadOnlyList<string> args, ChildRunOptions? options, CancellationToken cancellationToken)
    {
        options ??= new ChildRunOptions();
        cancellationToken.ThrowIfCancellationRequested();
        var (child, stdin, stdout, stderr) = Start(file, args, options);
        using var stopReading = new CancellationTokenSource();
        await using var input = stdin;
        await using var output = stdout;
        await using var errors = stderr;

        var outCapture = new Capture(output, 1, options);
        var errCapture = new Capture(errors, 2, options);
        var reading = Task.WhenAll(outCapture.ReadAsync(stopReading.Token), errCapture.ReadAsync(stopReading.Token));
        var writing = FeedAsync(input, options.Input, stopReading.Token);

        var timedOut = false;
        try
        {
            await child.Exited.WaitAsync(options.Timeout, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            timedOut = true;
        }
        finally
        {
            KillGroup(child); // does nothing when it has ended by itself
        }

        var exit = await child.Exited.ConfigureAwait(false);
        stopReading.CancelAfter(DrainGrace);
        await Task.WhenAll(reading, writing).ConfigureAwait(false);
        return new ChildOutput(exit, outCapture.Bytes, errCapture.Bytes, timedOut, outCapture.Truncated || errCapture.Truncated);
    }

    private static (ChildProcess Child, PollableFd? Stdin, PollableFd Stdout, PollableFd Stderr) Start(
        string file, IReadOnlyList<string> args, ChildRunOptions options)
    {
        var (outRead, outWrite) = Pipe.Create();
        var (errRead, errWrite) = Pipe.Create();
        (SafeFileHandle Read, SafeFileHandle Write)? feed = options.Input.IsEmpty && !options.EndedPipeAsInput ? null : Pipe.Create();
        try
        {
            List<FdMapping> fds = [new(Number(outWrite), 1), new(Number(errWrite), 2), .. options.Fds];
            if (feed is { } pipe)
            {
                fds.Add(new(Number(pipe.Read), 0));
            }

            var child = ChildProcess.Start(new SpawnOptions
            {
                FileName = file,
                Argv = [file, .. args],
                Env = options.Env,
                Cwd = options.Cwd,
                Fds = fds,
                NewSession = true,
                ParentDeathSignal = options.DieWithParent ? Signals.SIGKILL : 0,
                CgroupDirectories = options.CgroupDirectories,
            });
            return (child, feed is { } f ? PollableFd.Take(f.Write) : null, PollableFd.Take(outRead), PollableFd.Take(errRead));
        }
        catch
        {
            outRead.Dispose();
            errRead.Dispose();
            feed?.Write.Dispose();
            throw;
        }
        finally
        {
            outWrite.Dispose();
            errWrite.Dispose();
            feed?.Read.Dispose();
        }
    }

    private static int Number(SafeFileHandle handle) => (int)handle.DangerousGetHandle();

    private static void KillGroup(ChildProcess child)
    {
        if (!child.Exited.IsCompleted)
        {
            child.SignalGroup(Signals.SIGKILL);
        }
    }

    private static async Task FeedAsync(PollableFd? stdin, ReadOnlyMemory<byte> input, CancellationToken stop)
    {
        if (stdin is null)
        {
            return;
        }

        try
        {
            if (!input.IsEmpty)
            {
                await stdin.WriteAsync(input, stop).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or OperationCanceledException)
        {
            // A program need not read its input.
        }

        await stdin.DisposeAsync().ConfigureAwait(false);
    }

    private sealed class Capture(PollableFd source, int number, ChildRunOptions options)
    {
        private readonly ArrayBufferWriter<byte> kept = new(4096);

        public ReadOnlyMemory<byte> Bytes => kept.WrittenMemory;

        public bool Truncated { get; private set; }

        public async Task ReadAsync(CancellationToken stop)
        {
            var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
            try
            {
                while (await source.ReadAsync(buffer, stop).ConfigureAwait(false) is var n and > 0)
                {
                    options.OnOutput?.Invoke(buffer.AsMemory(0, n), number);
                    var room = Math.Min(n, options.MaxOutputBytes - kept.WrittenCount);
                    kept.Write(buffer.AsSpan(0, room));
                    Truncated |= room < n;
                }
            }
            catch (OperationCanceledException)
            {
                // The grace is over; what is left belongs to a process that outlived the program.
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }
}
