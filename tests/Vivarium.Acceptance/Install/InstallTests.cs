using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Install;

/// <summary>Real packages from this machine's real mirrors, inside <c>base</c> sandboxes with <c>--net nat</c> on each runtime.</summary>
public sealed class InstallTests(PrivateBaseDaemon daemon) : VivTest(daemon), IClassFixture<PrivateBaseDaemon>
{
    [Fact]
    public async Task Apt_and_npm_install_real_packages_on_both_runtimes()
    {
        var (npm, apt) = await Registries.RequireAsync();
        string[] flags = ["--memory", "1GiB", .. await Registries.AllowAsync(npm, apt)];
        await TrustedAuthorities.ConfigureAsync(Daemon, Registries.Authorities());
        await InstallSteps.MakeNodeAsync(Daemon, npm, flags);

        await using var container = await Daemon.CreateAsync(["--runtime", "container", "--net", "nat", .. flags, .. InstallSteps.NodeFlags]);
        await InstallSteps.AptAsync(container);
        await InstallSteps.NpmAsync(container, npm);

        await using var gvisor = await Daemon.CreateAsync(["--runtime", "gvisor", "--net", "nat", .. flags, .. InstallSteps.NodeFlags]);
        await InstallSteps.AptAsync(gvisor);
        await InstallSteps.NpmAsync(gvisor, npm);
    }
}
