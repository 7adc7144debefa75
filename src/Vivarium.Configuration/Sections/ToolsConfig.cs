using Vivarium.Configuration.Values;

namespace Vivarium.Configuration.Sections;

/// <summary><c>[tools]</c>: limits of what an agent calls in a sandbox.</summary>
public sealed record ToolsConfig
{
    /// <summary>Time of a tool that is given none.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Most a call may ask for.</summary>
    public TimeSpan MaxTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Time of a git tool that is given none.</summary>
    public TimeSpan GitTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Bytes kept of each output stream; more is cut in the middle.</summary>
    public ByteSize MaxOutput { get; init; } = ByteSize.FromMiB(10);

    /// <summary>Lines <c>read_file</c> gives when not asked for another number.</summary>
    public int ReadLines { get; init; } = 2000;

    /// <summary>Characters <c>read_file</c> and <c>grep</c> give of a line.</summary>
    public int ReadCharacters { get; init; } = 2000;

    /// <summary>Take a snapshot after every tool that may have changed something.</summary>
    public bool Snapshots { get; init; }

    /// <summary>How long a pause waits for running tools.</summary>
    public TimeSpan PauseDrain { get; init; } = TimeSpan.FromSeconds(30);
}
