using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Copy;

/// <summary>One end of a copy: <c>SANDBOX:PATH</c>, a path of this machine, or <c>-</c> for a tar stream. A local name with a colon is written <c>./na:me</c>.</summary>
internal sealed record CopyPath(string? Sandbox, string Path)
{
    public bool IsStream => Sandbox is null && Path == "-";

    /// <summary>Last part of the path; empty where what is inside is meant (<c>dir/.</c>, <c>/</c>).</summary>
    public string Leaf => Path.TrimEnd('/') is var path && (path.EndsWith("/.", StringComparison.Ordinal) || path is "." or ".." or "" || path.EndsWith("/..", StringComparison.Ordinal))
        ? ""
        : path[(path.LastIndexOf('/') + 1)..];

    public static CopyPath Parse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon <= 0 || text.AsSpan(0, colon).Contains('/'))
        {
            return text.Length > 0 ? new CopyPath(null, text) : throw Invocation.Usage("a path to copy is empty");
        }

        return new CopyPath(text[..colon], colon == text.Length - 1 ? "." : text[(colon + 1)..]);
    }
}
