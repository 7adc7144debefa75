using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Install;

/// <summary>
/// The same behind a proxy that inspects TLS with an authority only the host trusts, <c>[templates] ca_certificates</c>: apt over https, npm, curl, python and git take its certificates,
/// and without that setting none of them does.
/// </summary>
public sealed class InspectedInstallTests(InspectedDaemon daemon) : VivTest(daemon), IClassFixture<InspectedDaemon>
{
    private InspectingProxy Proxy => ((InspectedDaemon)Daemon).Proxy;

    [Fact]
    public async Task Apt_npm_curl_python_and_git_trust_the_authority_of_the_host_behind_an_inspecting_proxy()
    {
        var (npm, apt) = await Registries.RequireAsync();
        var mirror = apt.Host;
        Assert.SkipUnless((await Tools.TryAsync("curl", "-s", "-o", "/dev/null", "-m", "10", $"https://{mirror}/")).Succeeded, $"the mirror {mirror} has no https");
        string[] flags = ["--memory", "1GiB"];
        await using (var stranger = await Daemon.CreateAsync(["--net", "nat", .. flags]))
        {
            // 60: the peer's certificate cannot be authenticated with known authorities.
            Assert.Equal(60, (await stranger.TryExecAsync("curl", "-sS", npm.AbsoluteUri)).Code);
        }

        var authority = Path.Combine(Daemon.Home, "inspection.pem");
        await File.WriteAllTextAsync(authority, Proxy.Pem, TestContext.Current.CancellationToken);
        await TrustedAuthorities.ConfigureAsync(Daemon, authority);
        await InstallSteps.MakeNodeAsync(Daemon, npm, flags);
        await using var container = await Daemon.CreateAsync(["--runtime", "container", "--net", "nat", .. flags, .. InstallSteps.NodeFlags]);
        await OverTlsAsync(container, npm);
        await InstallSteps.AptAsync(container);
        await InstallSteps.NpmAsync(container, npm);
        await using var gvisor = await Daemon.CreateAsync(["--runtime", "gvisor", "--net", "nat", .. flags, .. InstallSteps.NodeFlags]);
        await OverTlsAsync(gvisor, npm);
        await InstallSteps.AptAsync(gvisor);
        await InstallSteps.NpmAsync(gvisor, npm);
        Assert.Equal(2, Proxy.Seen.Count(seen => seen.StartsWith($"{npm.Host} GET", StringComparison.Ordinal) && seen.Contains("python-was-here", StringComparison.Ordinal)));
        Assert.Contains(Proxy.Seen, seen => seen.StartsWith($"{npm.Host} GET /is-odd", StringComparison.Ordinal));
        Assert.Contains(Proxy.Seen, seen => seen.StartsWith($"{mirror} GET", StringComparison.Ordinal));
    }

    private static async Task OverTlsAsync(TestSandbox box, Uri npm)
    {
        await InstallSteps.RunAsync(box, $"""
            set -e
            find /etc/apt -name '*.list' -o -name '*.sources' | xargs sed -i 's#http://#https://#g'
            curl -fsS -o /dev/null {npm}is-odd
            python3 -c 'import urllib.request; assert urllib.request.urlopen("{npm}is-odd?python-was-here").status == 200'
            """);

        // A registry is no repository: git gets as far as reading an answer, which it does not before it trusts.
        var git = await box.TryExecAsync("git", "ls-remote", $"{npm}is-odd");
        Assert.DoesNotContain("certificate", git.Stderr, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("not", git.Stderr, StringComparison.OrdinalIgnoreCase);
    }
}
