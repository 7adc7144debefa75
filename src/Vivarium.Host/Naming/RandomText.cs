using System.Security.Cryptography;

namespace Vivarium.Host.Naming;

/// <summary>Random text of [a-z0-9] from the system's generator.</summary>
internal static class RandomText
{
    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

    /// <summary>So many characters.</summary>
    public static string Next(int length) => RandomNumberGenerator.GetString(Alphabet, length);
}
