using System.Net;
using System.Net.Sockets;
using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Install;

/// <summary>The package mirrors of this machine, as its own configuration names them, read when a test runs.</summary>
internal static class Registries
{
    /// <summary>npm's registry, as npm says here, without credentials, and apt's first Debian source. Skips, by name, where one is not known or does not answer this machine.</summary>
    public static async Task<(Uri Npm, Uri Apt)> RequireAsync()
    {
        var npm = await ReachableAsync("npm", "npm config get registry");
        var apt = await ReachableAsync("apt", "apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -i debian | head -n 1");
        return (new UriBuilder(npm) { UserName = "", Password = "" }.Uri, apt);
    }

    /// <summary>Flags that open them where they have private addresses, which are closed by default.</summary>
    public static async Task<string[]> AllowAsync(params Uri[] registries)
    {
        var flags = new List<string>();
        foreach (var registry in registries)
        {
            foreach (var address in await Dns.GetHostAddressesAsync(registry.Host, AddressFamily.InterNetwork))
            {
                var b = address.GetAddressBytes();
                if (b[0] == 10 || (b[0] == 172 && b[1] is >= 16 and < 32) || (b[0] == 192 && b[1] == 168) || (b[0] == 100 && b[1] is >= 64 and < 128))
                {
                    flags.AddRange(["--allow", $"{address}:{registry.Port}"]);
                }
            }
        }

        return [.. flags];
    }

    /// <summary>The authorities this machine's owner has added, as files separated by colons.</summary>
    public static string Authorities() => Directory.Exists("/usr/local/share/ca-certificates")
        ? string.Join(':', Directory.EnumerateFiles("/usr/local/share/ca-certificates", "*.crt", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        : "";

    private static async Task<Uri> ReachableAsync(string program, string question)
    {
        var said = (await Tools.TryAsync("sh", "-c", question)).StdoutText.Trim();
        var known = Uri.TryCreate(said, UriKind.Absolute, out var registry) && registry.Scheme is "http" or "https";
        Assert.SkipUnless(known, $"the configuration of {program} on this machine names no registry");
        var answers = await Tools.TryAsync("curl", "-s", "-o", "/dev/null", "-m", "10", registry!.AbsoluteUri);
        Assert.SkipUnless(answers.Succeeded, $"the registry of {program} is not reachable from this machine: {registry.Host}");
        return registry;
    }
}
