namespace Vivarium.Cli.Terminal;

/// <summary>A signal asked us to stop what we are doing; the exit code is 128 + its number.</summary>
internal sealed class InterruptedException(int signal) : Exception($"interrupted by signal {signal}")
{
    public int Signal { get; } = signal;
}
