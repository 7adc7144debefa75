using Vivarium.Wire.Errors;

namespace Vivarium.Templates;

/// <summary>The certificate authorities of the host's owner, <c>[templates] ca_certificates</c>: PEM files, separated by colons.</summary>
public static class HostAuthorities
{
    /// <summary>Most bytes of all files together; they travel to the guest in one message.</summary>
    public const int MostBytes = 512 * 1024;

    private const string Begin = "-----BEGIN CERTIFICATE-----";

    /// <summary>The text of all files, null when none are configured.</summary>
    /// <exception cref="VivariumException">invalid_argument: a file is missing, holds no certificate, or all are too large.</exception>
    public static string? Read(string setting)
    {
        if (setting.Length == 0)
        {
            return null;
        }

        var all = string.Concat(setting.Split(':', StringSplitOptions.RemoveEmptyEntries).Select(Text));
        return all.Length <= MostBytes
            ? all
            : throw new VivariumException(
                ErrorCode.InvalidArgument, $"[templates] ca_certificates names {all.Length} bytes of certificates", $"name those authorities alone that others do not know, at most {MostBytes} bytes", "bad_ca_certificates");
    }

    private static string Text(string path)
    {
        string text;
        try
        {
            text = new FileInfo(path) is { Exists: true, Length: <= MostBytes } ? File.ReadAllText(path) : "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            text = "";
        }

        return text.Contains(Begin, StringComparison.Ordinal)
            ? text.TrimEnd('\n') + "\n"
            : throw new VivariumException(
                ErrorCode.InvalidArgument, $"[templates] ca_certificates: \"{path}\" is not a file of PEM certificates", "correct the path or leave it out", "bad_ca_certificates");
    }
}
