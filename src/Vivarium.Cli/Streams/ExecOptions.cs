namespace Vivarium.Cli.Streams;

/// <summary>How the terminal and the standard streams are joined to a process.</summary>
internal sealed record ExecOptions
{
    /// <summary>Forward standard input.</summary>
    public bool Stdin { get; init; }

    /// <summary>The process has a terminal: ours becomes raw while joined.</summary>
    public bool Tty { get; init; }

    /// <summary>Ctrl-P Ctrl-Q leaves and lets the process go on.</summary>
    public bool DetachKeys { get; init; }

    /// <summary>Pass interrupts on to the process; otherwise they end only the joining.</summary>
    public bool ForwardSignals { get; init; } = true;
}
