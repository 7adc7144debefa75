namespace Vivarium.Cli;

/// <summary>Ends with that exit code; what there was to say has been said.</summary>
internal sealed class ExitException(int code) : Exception
{
    public int Code { get; } = code;
}
