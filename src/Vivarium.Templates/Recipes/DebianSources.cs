using System.Text;

namespace Vivarium.Templates.Recipes;

/// <summary>One Debian repository.</summary>
/// <param name="Uri">Where.</param>
/// <param name="Suites">For example <c>bookworm bookworm-updates</c>.</param>
/// <param name="Components">For example <c>main</c>.</param>
/// <param name="SignedBy">Keyring file; null: apt's own.</param>
internal sealed record DebianSource(string Uri, IReadOnlyList<string> Suites, IReadOnlyList<string> Components, string? SignedBy);

/// <summary>
/// The Debian entries of a host's apt configuration, and only those: a vendor's repository must not leak into templates. Formats: sources.list(5).
/// </summary>
internal static class DebianSources
{
    private const string DebianKeyring = "debian-archive";

    /// <summary>Reads <c>sources.list</c> and <c>sources.list.d</c> below a directory (normally <c>/etc/apt</c>).</summary>
    /// <param name="aptDirectory">Configuration directory of apt.</param>
    /// <param name="hostCodename">Release the host's entries name.</param>
    /// <param name="codename">Release wanted: it takes the place of the host's.</param>
    internal static IReadOnlyList<DebianSource> Read(string aptDirectory, string hostCodename, string codename)
    {
        var found = new List<DebianSource>();
        var main = Path.Combine(aptDirectory, "sources.list");
        if (File.Exists(main))
        {
            found.AddRange(OneLine(File.ReadAllLines(main)));
        }

        var parts = Path.Combine(aptDirectory, "sources.list.d");
        if (Directory.Exists(parts))
        {
            foreach (var path in Directory.EnumerateFiles(parts).Order(StringComparer.Ordinal))
            {
                found.AddRange(path switch
                {
                    _ when path.EndsWith(".list", StringComparison.Ordinal) => OneLine(File.ReadAllLines(path)),
                    _ when path.EndsWith(".sources", StringComparison.Ordinal) => Deb822(File.ReadAllText(path)),
                    _ => [],
                });
            }
        }

        return [.. found.Select(source => ForRelease(source, hostCodename, codename)).OfType<DebianSource>()];
    }

    /// <summary>The entries in deb822 form.</summary>
    internal static string Write(IEnumerable<DebianSource> sources)
    {
        var text = new StringBuilder();
        foreach (var source in sources)
        {
            text.Append("Types: deb\nURIs: ").Append(source.Uri)
                .Append("\nSuites: ").AppendJoin(' ', source.Suites)
                .Append("\nComponents: ").AppendJoin(' ', source.Components).Append('\n');
            if (source.SignedBy is { } key)
            {
                text.Append("Signed-By: ").Append(key).Append('\n');
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    private static IEnumerable<DebianSource> OneLine(IEnumerable<string> lines)
    {
        foreach (var line in lines)
        {
            var text = line.Split('#')[0].Trim();
            if (!text.StartsWith("deb ", StringComparison.Ordinal) && !text.StartsWith("deb\t", StringComparison.Ordinal))
            {
                continue;
            }

            string? signedBy = null;
            text = text[4..].Trim();
            if (text.StartsWith('[') && text.IndexOf(']', StringComparison.Ordinal) is var end and > 0)
            {
                signedBy = text[1..end].Split(' ').FirstOrDefault(option => option.StartsWith("signed-by=", StringComparison.Ordinal))?["signed-by=".Length..];
                text = text[(end + 1)..].Trim();
            }

            var words = Words(text);
            if (words.Length >= 3)
            {
                yield return new DebianSource(words[0], [words[1]], words[2..], signedBy);
            }
        }
    }

    private static IEnumerable<DebianSource> Deb822(string text)
    {
        foreach (var stanza in text.Replace("\r", "", StringComparison.Ordinal).Split("\n\n"))
        {
            var fields = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            string? field = null;
            foreach (var line in stanza.Split('\n').Where(line => !line.StartsWith('#')))
            {
                if (line.Length > 0 && char.IsWhiteSpace(line[0]) && field is not null)
                {
                    fields[field] += "\n" + line.Trim();
                }
                else if (line.IndexOf(':', StringComparison.Ordinal) is var colon and > 0)
                {
                    field = line[..colon];
                    fields[field] = line[(colon + 1)..].Trim();
                }
            }

            if (!Words(fields.GetValueOrDefault("Types", "")).Contains("deb") || fields.GetValueOrDefault("Enabled", "yes") is "no" or "false")
            {
                continue;
            }

            foreach (var uri in Words(fields.GetValueOrDefault("URIs", "")))
            {
                yield return new DebianSource(
                    uri, Words(fields.GetValueOrDefault("Suites", "")), Words(fields.GetValueOrDefault("Components", "")), fields.GetValueOrDefault("Signed-By"));
            }
        }
    }

    /// <summary>Null for what is not Debian's own archive of the host's release.</summary>
    private static DebianSource? ForRelease(DebianSource source, string hostCodename, string codename)
    {
        var suites = source.Suites
            .Where(suite => suite == hostCodename || suite == $"{hostCodename}-updates" || suite == $"{hostCodename}-security")
            .Select(suite => codename + suite[hostCodename.Length..])
            .ToList();
        return suites.Count > 0 && source.Components.Contains("main") && IsDebian(source)
            ? source with { Suites = suites, Components = ["main"], SignedBy = source.SignedBy?.StartsWith('/') == true ? source.SignedBy : null }
            : null;
    }

    /// <summary>Signed by Debian's keyring; or without a key of its own and at a path as Debian's mirrors have it.</summary>
    private static bool IsDebian(DebianSource source)
    {
        if (source.SignedBy is { } key)
        {
            return key.Contains(DebianKeyring, StringComparison.Ordinal);
        }

        var last = source.Uri.TrimEnd('/');
        return last[(last.LastIndexOf('/') + 1)..].StartsWith("debian", StringComparison.Ordinal);
    }

    private static string[] Words(string text) => text.Split([' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries);
}
