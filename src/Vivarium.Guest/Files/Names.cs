using System.Runtime.InteropServices;
using Vivarium.Linux;
using Vivarium.Linux.Tar;

namespace Vivarium.Guest.Files;

/// <summary>Between paths as text and the byte strings of <see cref="At"/>.</summary>
internal static class Names
{
    /// <summary>The byte string of a path.</summary>
    public static string Of(string path) => TarText.ToBytes(path);

    /// <summary>The path of a byte string.</summary>
    public static string Text(string bytes) => TarText.FromBytes(bytes);

    /// <summary>Throws for -1, unless the error is the allowed one.</summary>
    public static int Check(long result, string operation, string path, int allowed = 0)
    {
        if (result < 0 && Marshal.GetLastPInvokeError() is var error && error != allowed)
        {
            throw new LinuxException(operation, path, error);
        }

        return (int)result;
    }
}
