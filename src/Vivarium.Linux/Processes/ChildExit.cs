namespace Vivarium.Linux.Processes;

/// <summary>How a child ended and what it used. One of <paramref name="Code"/> and <paramref name="Signal"/> is set; neither, when it had been collected before anybody asked.</summary>
/// <param name="Code">Exit code, 0 to 255.</param>
/// <param name="Signal">Signal that ended it.</param>
/// <param name="UserTime">CPU time in user mode, with its own collected children.</param>
/// <param name="SystemTime">CPU time in the kernel.</param>
/// <param name="MaxRssBytes">Largest resident set, bytes.</param>
public sealed record ChildExit(int? Code, int? Signal, TimeSpan UserTime, TimeSpan SystemTime, long MaxRssBytes)
{
    /// <summary>As a shell would say it: the code, or 128 + signal; 255 when unknown.</summary>
    public int ShellCode => Code ?? (Signal is { } signal ? 128 + signal : 255);

    internal static ChildExit Unknown { get; } = new(null, null, TimeSpan.Zero, TimeSpan.Zero, 0);
}
