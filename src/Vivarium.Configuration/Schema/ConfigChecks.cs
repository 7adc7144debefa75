using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Vivarium.Configuration.Schema;

/// <summary>Checks of texts; each returns what is wrong, or null.</summary>
internal static class ConfigChecks
{
    public static string? AbsolutePath(string text) =>
        !text.StartsWith('/') ? "must be an absolute path"
        : text.Contains('\0', StringComparison.Ordinal) ? "must not contain a NUL character"
        : text.Split('/').Any(part => part is ".." or ".") ? "must not contain '.' or '..'"
        : Encoding.UTF8.GetByteCount(text) > 1024 ? "must be at most 1024 bytes long"
        : null;

    public static string? OptionalPath(string text) => text.Length == 0 ? null : AbsolutePath(text);

    /// <summary>Any number of paths, separated by colons.</summary>
    public static string? OptionalPaths(string text) => text.Length == 0 ? null : text.Split(':').Select(AbsolutePath).FirstOrDefault(static wrong => wrong is not null);

    /// <summary>A program: empty, a name looked up in PATH, or an absolute path.</summary>
    public static string? Program(string text) =>
        text.Length == 0 || !text.Contains('/', StringComparison.Ordinal) ? Line(text) : AbsolutePath(text);

    /// <summary>A socket path is at most 107 bytes; below the runtime directory come an id of 20 and a file name.</summary>
    public static string? RuntimePath(string text) =>
        AbsolutePath(text) ?? (Encoding.UTF8.GetByteCount(text) > 60 ? "must be at most 60 bytes long, because the paths of Unix sockets below it are limited to 107" : null);

    public static string? CgroupPath(string text) =>
        AbsolutePath(text) ?? (text.Length < 2 || text.EndsWith('/') ? "must name a cgroup below the root, such as \"/vivarium\"" : null);

    /// <summary>One line, as for user and group names.</summary>
    public static string? Line(string text) =>
        text.Any(char.IsControl) ? "must not contain control characters" : text.Length > 255 ? "must be at most 255 characters long" : null;

    public static string? Required(string text) => text.Length == 0 ? "must not be empty" : Line(text);

    /// <summary>Empty, or an address and a port. A name is refused: what it resolves to could change.</summary>
    public static string? Endpoint(string text) =>
        text.Length == 0 || (IPEndPoint.TryParse(text, out _) && text.LastIndexOf(':') > text.LastIndexOf(']') && (text[0] == '[' || text.Count(c => c == ':') == 1))
            ? null
            : "must be an address and a port, such as \"127.0.0.1:7780\" or \"[::1]:7780\"";

    /// <summary>An address others can be told: not the one that stands for all.</summary>
    public static string? OwnAddress(string text) =>
        IPAddress.TryParse(text, out var address) && text == address.ToString() && !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any) && address is { IsIPv6Multicast: false, IsIPv4MappedToIPv6: false }
            ? null
            : "must be one address of this host, such as \"127.0.0.1\" or \"192.0.2.7\"";

    public static string? Mirror(string text) =>
        text.Length == 0 || text.StartsWith("https://", StringComparison.Ordinal) || text.StartsWith("http://", StringComparison.Ordinal) || text.StartsWith("file:///", StringComparison.Ordinal)
            ? Line(text)
            : "must be an http, https or file URL";

    /// <summary>Names of ports are the bridge's, a dash and a part of an id, and 15 characters are all there are.</summary>
    public static string? Bridge(string text) =>
        text.Length is > 0 and <= 6 && char.IsAsciiLetterLower(text[0]) && text.All(static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c))
            ? null : "must be one to six lower-case letters and digits, beginning with a letter";

    public static string? NftName(string text) =>
        text.Length is > 0 and <= 32 && char.IsAsciiLetter(text[0]) && text.All(static c => char.IsAsciiLetterOrDigit(c) || c == '_')
            ? null : "must be letters, digits and '_', beginning with a letter";

    public static string? Interface(string text) =>
        text.Length is > 0 and <= 15 && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or '@') ? null : "must be the name of a network interface";

    public static string? Label(string text) =>
        text.Length is > 0 and <= 63 && char.IsAsciiLetterLower(text[0]) && text.All(static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c))
            ? null : "must be lower-case letters and digits, beginning with a letter";

    public static string? Pool(string text, bool v6) =>
        !IPNetwork.TryParse(text, out var range) || range.BaseAddress.AddressFamily != (v6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork)
            ? $"must be a range of IPv{(v6 ? 6 : 4)} addresses such as {(v6 ? "fdc7:6976:6172::/64" : "10.213.0.0/16")}, with no bits set behind its prefix"
        : v6 ? range.PrefixLength is < 16 or > 112 ? "must have a prefix of 16 to 112" : null
        : range.PrefixLength is < 8 or > 29 ? "must have a prefix of 8 to 29" : null;

    public static string? Servers(string text)
    {
        var words = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return words.Length > 3 ? "must be at most three name servers"
            : words.FirstOrDefault(static w => !IPEndPoint.TryParse(w, out _)) is { } wrong ? $"holds '{wrong}', which is no address with or without a port" : null;
    }
}
