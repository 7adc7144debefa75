using Vivarium.Host.Timers;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Host.Tools;

/// <summary>
/// Runs a command for a tool. Its time limit is the guest's business, which ends the whole tree with it, also when this daemon is gone by then; here is only a longer
/// deadline for a guest that does not answer.
/// </summary>
internal static class ToolCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Runs it to its end. The first of the programs that exists is taken.</summary>
    public static async Task<ToolResult> RunAsync(ToolRun run, TimeSpan timeout, CancellationToken cancellationToken, params ExecRequest[] requests)
    {
        using var deadline = new Deadline(TimeProvider.System, timeout + Patience, cancellationToken);
        try
        {
            var (exec, joined) = await StartAsync(run, timeout, requests, deadline.Token).ConfigureAwait(false);
            await using (exec.ConfigureAwait(false))
            {
                return await FollowAsync(run, exec, deadline.Token).ConfigureAwait(false) with { Joined = joined };
            }
        }
        catch (VivariumException e) when (e.Code is ErrorCode.NotFound or ErrorCode.PermissionDenied or ErrorCode.InvalidArgument or ErrorCode.ResourceExhausted)
        {
            // The guest could not start it, and says why in words for whoever asked.
            return ToolResult.Failed(e.Message) with { NotStarted = true };
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new VivariumException(ErrorCode.DeadlineExceeded, $"the guest of sandbox {run.Sandbox.Record.Name} did not say how the command ended", "viv show tells how it is.", "guest_silent");
        }
    }

    private static async Task<(ExecClient Exec, bool Joined)> StartAsync(ToolRun run, TimeSpan timeout, ExecRequest[] requests, CancellationToken cancellationToken)
    {
        if (run.Tag is { } tag)
        {
            try
            {
                // A daemon before this one may have started it for the same call.
                return (await run.Link.StartExecAsync(new ExecRequest { Attach = new ExecAttach { Tag = tag, Offset = 0 } }, cancellationToken).ConfigureAwait(false), true);
            }
            catch (VivariumException e) when (e.Reason == "no_such_process")
            {
                // As nearly always.
            }
        }

        for (var i = 0; ; i++)
        {
            try
            {
                return (await run.Link.StartExecAsync(requests[i] with { Tag = run.Tag, TimeoutMs = (long)timeout.TotalMilliseconds }, cancellationToken).ConfigureAwait(false), false);
            }
            catch (VivariumException e) when (e.Reason == "command_not_found" && i + 1 < requests.Length)
            {
                // The next one, then.
            }
        }
    }

    private static async Task<ToolResult> FollowAsync(ToolRun run, ExecClient exec, CancellationToken cancellationToken)
    {
        var limit = (int)run.Limits.MaxOutput.Bytes;
        var stdout = new ToolOutput(limit, isError: false, run.Progress);
        var stderr = new ToolOutput(limit, isError: true, run.Progress);
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

        stdout.End();
        stderr.End();
        var exit = exec.Exit ?? throw new IOException("the connection ended before the command did");
        return ToolResult.Of(exit, Join(stdout.Text(), stderr.Text()), stdout.Cut > 0 || stderr.Cut > 0 || exec.Reply.Lost > 0);
    }

    /// <summary>Standard output, then standard error, which begins a line of its own.</summary>
    private static string Join(string stdout, string stderr) =>
        stderr.Length == 0 ? stdout : stdout.Length == 0 || stdout.EndsWith('\n') ? stdout + stderr : stdout + "\n" + stderr;
}
