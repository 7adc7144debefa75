using Vivarium.Host.Metrics;
using Vivarium.Host.Sandboxes;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Processes;

/// <summary>
/// <c>process.exec</c>: runs a command to its end and returns what it wrote. When the caller leaves, the command goes on unless its request says otherwise; its
/// life belongs to the sandbox.
/// </summary>
internal sealed class ProcessRuns(SandboxAccess access, HostMetrics metrics)
{
    private const int DefaultOutput = 1024 * 1024;
    private const int MaxOutput = 10 * 1024 * 1024;

    /// <summary>Runs it.</summary>
    public ValueTask<RunReply> RunAsync(RunParams p, CancellationToken cancellationToken) => metrics.ExecAsync(() => RunToEndAsync(p, cancellationToken));

    private async ValueTask<RunReply> RunToEndAsync(RunParams p, CancellationToken cancellationToken)
    {
        var stdin = Check(p);
        var (sandbox, link) = await access.GetRunningAsync(p.Ref, "running a command in", cancellationToken).ConfigureAwait(false);
        var began = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        await using var exec = await link.StartExecAsync(p.Request with { Stdin = stdin is not null }, cancellationToken).ConfigureAwait(false);
        var limit = p.MaxOutputBytes ?? DefaultOutput;
        var stdout = new MiddleCut(limit);
        var stderr = new MiddleCut(limit);
        var input = stdin is null ? Task.CompletedTask : WriteAsync(exec, stdin, cancellationToken);
        while (await exec.ReadAsync(cancellationToken).ConfigureAwait(false) is { } frame)
        {
            switch (frame.Channel)
            {
                case ExecChannel.Stdout:
                    stdout.Add(frame.Payload.Span);
                    break;
                case ExecChannel.Stderr:
                    stderr.Add(frame.Payload.Span);
                    break;
                default:
                    break;
            }
        }

        var exit = exec.Exit ?? throw EndedEarly(sandbox.Record, began);
        _ = input;
        return new RunReply
        {
            Pid = exec.Pid,
            Exit = exit,
            Stdout = stdout.ToBase64(),
            Stderr = stderr.ToBase64(),
            StdoutCut = stdout.Cut,
            StderrCut = stderr.Cut,
        };
    }

    private static VivariumException EndedEarly(SandboxRecord record, long began) => record.Rollback is not null || record.Lineage?.RolledBackUnixMs >= began
        ? new(ErrorCode.FailedPrecondition, $"running a command in sandbox {record.Name}: the sandbox was rolled back while it ran", "Run it again if it is still wanted.", "rolled_back")
        : new(ErrorCode.Unavailable, $"running a command in sandbox {record.Name}: the connection ended before the command did", "Look at the sandbox's state: viv show.", "closed_early");

    private static byte[]? Check(RunParams p)
    {
        if (p.Request.Attach is not null || p.Request.Tty is not null)
        {
            throw Bad("attach and tty need a stream of their own", "Use sandbox.ticket and connect to the supervisor.");
        }

        if (p.MaxOutputBytes is < 0 or > MaxOutput)
        {
            throw Bad($"max_output_bytes of {p.MaxOutputBytes} is out of range", "Give 0 to 10485760.");
        }

        try
        {
            return p.Stdin is null ? null : Convert.FromBase64String(p.Stdin);
        }
        catch (FormatException)
        {
            throw Bad("stdin is not base64", "Encode the bytes as base64.");
        }
    }

    private static async Task WriteAsync(ExecClient exec, byte[] stdin, CancellationToken cancellationToken)
    {
        try
        {
            await exec.WriteStdinAsync(stdin, cancellationToken).ConfigureAwait(false);
            await exec.CloseStdinAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or VivariumException or ObjectDisposedException or OperationCanceledException)
        {
            // The command ended without reading all of its input, as commands may.
        }
    }

    private static VivariumException Bad(string what, string hint) => new(ErrorCode.InvalidArgument, "running a command: " + what, hint, "bad_params");
}
