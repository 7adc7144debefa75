using Vivarium.Guest.Io;

namespace Vivarium.Guest.Processes;

/// <summary>Where one attachment stands in a process's output.</summary>
internal sealed class OutputCursor(bool holdsBack)
{
    /// <summary>Whether the process waits when this reader is slow; a read-only onlooker loses the oldest output instead.</summary>
    public bool HoldsBack { get; } = holdsBack;

    /// <summary>Next byte to send. Guarded by the log's lock.</summary>
    public long Offset { get; set; }

    /// <summary>Where this reader's output ends: known once the process's exit is.</summary>
    public long Limit { get; set; } = long.MaxValue;

    /// <summary>The block the next byte is in, when known.</summary>
    public OutputBlock? Block { get; set; }

    /// <summary>Set when there is more, or the output ended.</summary>
    public AsyncSignal More { get; } = new();
}
