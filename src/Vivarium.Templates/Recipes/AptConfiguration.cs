using Vivarium.Linux.Processes;
using Vivarium.Wire.Errors;

namespace Vivarium.Templates.Recipes;

/// <summary>What of the host's apt configuration a build uses: the way to its package sources, nothing that would stay in the template.</summary>
internal static class AptConfiguration
{
    private const string Keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    private static readonly string[] Kept =
    [
        "Acquire::http::", "Acquire::https::", "Acquire::Retries", "Acquire::ForceIPv4", "Acquire::ForceIPv6", "Acquire::Check-Valid-Until", "Acquire::Check-Date",
        "Acquire::Proxy", "Acquire::socks",
    ];

    private static readonly string[] ProxyVariables =
        ["http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"];

    /// <summary>Sources for a release in deb822 form; null: mmdebstrap's own default, where the host has no Debian sources.</summary>
    internal static string? Sources(string mirror, string codename)
    {
        if (mirror.Length > 0)
        {
            if (!Uri.TryCreate(mirror, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https" or "file") || mirror.Any(char.IsWhiteSpace))
            {
                throw new VivariumException(
                    ErrorCode.InvalidArgument, $"[templates] mirror = \"{mirror}\" is not the URI of a package mirror", "give an http, https or file URI");
            }

            return DebianSources.Write([new DebianSource(mirror, [codename, $"{codename}-updates"], ["main"], File.Exists(Keyring) ? Keyring : null)]);
        }

        var sources = HostCodename() is { } host ? DebianSources.Read("/etc/apt", host, codename) : [];
        return sources.Count > 0 ? DebianSources.Write(sources) : null;
    }

    /// <summary>Lines of apt configuration with the host's proxies, certificates and credentials.</summary>
    internal static async Task<IReadOnlyList<string>> OptionsAsync(CancellationToken cancellationToken)
    {
        var dump = await ChildRun.RunAsync("apt-config", ["dump"], null, cancellationToken).ConfigureAwait(false);
        if (!dump.Succeeded)
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"reading the apt configuration of this host failed: apt-config {dump.Summary}");
        }

        var lines = dump.StdoutText.Split('\n')
            .Where(line => Kept.Any(prefix => line.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)) && !line.EndsWith(" \"\";", StringComparison.Ordinal))
            .ToList();
        if (File.Exists("/etc/apt/auth.conf"))
        {
            lines.Add("Dir::Etc::netrc \"/etc/apt/auth.conf\";");
        }

        if (Directory.Exists("/etc/apt/auth.conf.d"))
        {
            lines.Add("Dir::Etc::netrcparts \"/etc/apt/auth.conf.d\";");
        }

        return lines;
    }

    /// <summary>Environment for the build: nothing of ours but the way out.</summary>
    internal static IReadOnlyList<string> Environment(string packageCache) =>
    [
        $"PATH={SpawnOptions.DefaultPath}", "LANG=C.UTF-8", "HOME=/root", "TMPDIR=/tmp", "DEBIAN_FRONTEND=noninteractive", $"VIVARIUM_APT_CACHE={packageCache}",
        .. ProxyVariables.Select(name => (name, value: System.Environment.GetEnvironmentVariable(name)))
            .Where(entry => !string.IsNullOrEmpty(entry.value))
            .Select(entry => $"{entry.name}={entry.value}"),
    ];

    private static string? HostCodename() => File.Exists("/etc/os-release")
        ? File.ReadLines("/etc/os-release")
            .Where(line => line.StartsWith("VERSION_CODENAME=", StringComparison.Ordinal))
            .Select(line => line["VERSION_CODENAME=".Length..].Trim('"'))
            .FirstOrDefault(name => name.Length > 0)
        : null;
}
