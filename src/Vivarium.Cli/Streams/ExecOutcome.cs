using Vivarium.Wire.Guest;

namespace Vivarium.Cli.Streams;

/// <summary>How joining a process ended: its exit, or we left it (<see cref="Detached"/>), or nobody reads our output (<see cref="OutputClosed"/>).</summary>
internal sealed record ExecOutcome(ExecControl? Exit, bool Detached = false, bool OutputClosed = false)
{
    /// <summary>Exit code by the shell's rule: the code, or 128 + the signal.</summary>
    public int Code => Detached ? 0
        : OutputClosed ? 128 + 13
        : Exit is { Signal: { } signal and > 0 } ? 128 + signal
        : Exit?.Code ?? App.OwnFailure;
}
