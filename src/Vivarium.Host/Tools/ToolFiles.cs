using Vivarium.Host.Timers;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Host.Tools;

/// <summary>What file tools share: a connection to the files port with a deadline, and what the guest refuses as the tool's own answer.</summary>
internal static class ToolFiles
{
    /// <summary>Does something with files of the sandbox.</summary>
    public static async Task<ToolResult> UseAsync(ToolRun run, Func<FilesClient, CancellationToken, Task<ToolResult>> work, CancellationToken cancellationToken)
    {
        using var deadline = new Deadline(TimeProvider.System, ToolTimes.Of(run, run.Limits.Timeout), cancellationToken);
        try
        {
            await using var files = await OpenAsync(run, deadline.Token).ConfigureAwait(false);
            return await work(files, deadline.Token).ConfigureAwait(false);
        }
        catch (VivariumException e) when (e.Code is ErrorCode.NotFound or ErrorCode.PermissionDenied or ErrorCode.InvalidArgument or ErrorCode.AlreadyExists or ErrorCode.ResourceExhausted
            || e is { Code: ErrorCode.FailedPrecondition, Reason: not Supervision.SupervisorProtocols.Reason })
        {
            return ToolResult.Failed(e.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return ToolResult.Failed("its time ran out") with { TimedOut = true };
        }
    }

    /// <summary>The directory of the argument <c>cwd</c>, absolute; null: the sandbox's working directory, which the guest knows.</summary>
    public static async Task<string?> DirectoryAsync(ToolRun run, CancellationToken cancellationToken)
    {
        if (run.Arguments.MaybeText("cwd") is not { } wanted)
        {
            return null;
        }

        var path = run.Path(wanted);
        if (path.StartsWith('/'))
        {
            return path;
        }

        // Below the home directory of the sandbox's user, which only the guest knows.
        await using var files = await OpenAsync(run, cancellationToken).ConfigureAwait(false);
        var home = (await files.StatAsync(".", null, noFollow: false, cancellationToken).ConfigureAwait(false)).Path;
        return path is "." or "~" ? home : $"{home.TrimEnd('/')}/{(path.StartsWith("~/", StringComparison.Ordinal) ? path[2..] : path)}";
    }

    private static async Task<FilesClient> OpenAsync(ToolRun run, CancellationToken cancellationToken) =>
        new(await run.Link.ConnectAsync(GuestPort.Files, cancellationToken).ConfigureAwait(false));
}
