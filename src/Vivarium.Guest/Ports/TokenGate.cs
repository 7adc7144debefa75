using System.Runtime.CompilerServices;
using System.Text;

namespace Vivarium.Guest.Ports;

/// <summary>
/// Whether the host has proved itself: until <c>hello</c> came with the per-boot token, nothing but <c>ping</c> is answered and every
/// other port is refused. Compared in constant time.
/// </summary>
internal sealed class TokenGate(string token)
{
    private byte[] _token = Encoding.UTF8.GetBytes(token);

    /// <summary>Whether the right token has come.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>Opens for the right token; a wrong one changes nothing.</summary>
    public bool TryOpen(string? offered)
    {
        if (_token.Length == 0 || !SameInConstantTime(_token, Encoding.UTF8.GetBytes(offered ?? "")))
        {
            return false;
        }

        IsOpen = true;
        return true;
    }

    /// <summary>Whoever comes over a new connection proves itself anew.</summary>
    public void Close() => IsOpen = false;

    /// <summary>Another token from now on, given by a host that has proved itself.</summary>
    public void Replace(string next) => _token = Encoding.UTF8.GetBytes(next);

    // Not CryptographicOperations: that class lives with OpenSSL's bindings, which a static program cannot load.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    private static bool SameInConstantTime(byte[] left, byte[] right)
    {
        var difference = left.Length ^ right.Length;
        for (var i = 0; i < left.Length && right.Length > 0; i++)
        {
            difference |= left[i] ^ right[i % right.Length];
        }

        return difference == 0;
    }
}
