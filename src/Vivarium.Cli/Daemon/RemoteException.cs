using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Daemon;

/// <summary>An error the daemon answered, whole: with its operation id.</summary>
internal sealed class RemoteException(ErrorInfo info) : Exception(info.Message)
{
    public ErrorInfo Info { get; } = info;
}
