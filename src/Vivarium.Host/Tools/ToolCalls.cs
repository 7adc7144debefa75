using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tools;

/// <summary>
/// <c>tool.call</c>: checks, runs and answers. A call that has begun is the sandbox's: it goes on when the caller leaves, and a caller that comes back with the same call id
/// gets its answer.
/// </summary>
internal sealed class ToolCalls(HostServices host, SandboxAccess access)
{
    private const int MaxCallId = 256;

    private readonly ToolList list = ToolCatalog.List;

    /// <summary>The tools with their schemas.</summary>
    public ToolList List() => list;

    /// <summary>Calls a tool.</summary>
    /// <param name="parameters">Which, where, with what.</param>
    /// <param name="progress">Takes output while it comes; must be quick.</param>
    /// <param name="cancellationToken">Stops waiting; the tool goes on.</param>
    /// <exception cref="VivariumException">What kept it from running or from being seen to its end.</exception>
    public async Task<ToolReply> CallAsync(ToolParams parameters, Action<ToolProgress>? progress, CancellationToken cancellationToken)
    {
        var tool = ToolCatalog.Get(parameters.Name);
        var arguments = ToolSchema.Check(tool, parameters.Arguments);
        if (parameters.CallId is { } id && (id.Length is < 1 or > MaxCallId || id.Any(char.IsControl)))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"calling tool {tool.Name}: the call id is malformed", $"Use 1 to {MaxCallId} characters and no control characters.", "bad_call_id");
        }

        var sandbox = await access.GetAsync(parameters.Ref, cancellationToken).ConfigureAwait(false);
        return await Task.Run(() => RunAsync(sandbox, tool, arguments, progress ?? (static _ => { })), CancellationToken.None).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<ToolReply> RunAsync(Sandbox sandbox, Tool tool, ToolArguments arguments, Action<ToolProgress> progress)
    {
        var (_, link) = await access.GetRunningAsync(sandbox.Record.Id.Value, $"calling tool {tool.Name} in", CancellationToken.None).ConfigureAwait(false);
        var began = host.Time.GetTimestamp();
        var result = await tool.RunAsync(new ToolRun(sandbox, link, arguments, host.Config.Tools, null, progress), CancellationToken.None).ConfigureAwait(false);
        return new ToolReply
        {
            Content = result.Content,
            IsError = result.IsError,
            ExitCode = result.ExitCode,
            TimedOut = result.TimedOut,
            Oom = result.Oom,
            Truncated = result.Truncated,
            DurationMs = (long)host.Time.GetElapsedTime(began).TotalMilliseconds,
        };
    }
}
