using System.Net;
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

    public static string? Mirror(string text) =>
        text.Length == 0 || text.StartsWith("https://", StringComparison.Ordinal) || text.StartsWith("http://", StringComparison.Ordinal) || text.StartsWith("file:///", StringComparison.Ordinal)
            ? Line(text)
            : "must be an http, https or file URL";
}
