namespace Vivarium.Transport.Tests.Support;

internal static class Limits
{
    /// <summary>Longest a single wait of a test may take; generous, because the machine may be busy.</summary>
    public static readonly TimeSpan Wait = TimeSpan.FromSeconds(20);

    public static CancellationToken Token => new CancellationTokenSource(Wait).Token;
}
