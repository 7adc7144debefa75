using System.Runtime.InteropServices;
using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Install;

/// <summary>What people do first in a sandbox with a network.</summary>
internal static class InstallSteps
{
    private const string NodeVersion = "20.18.1";
    private const string NpmVersion = "10.9.2";
    private static readonly TimeSpan Time = TimeSpan.FromMinutes(5);

    /// <summary>Node and npm, as fetched once from npm's registry by <see cref="MakeNodeAsync"/>; on the machine's cache, because they are large.</summary>
    public static string NodeDirectory => Path.Combine(Checkout.Cache, $"node-{NodeVersion}-npm-{NpmVersion}-{Architecture}");

    /// <summary>Flags that give a sandbox that directory.</summary>
    public static string[] NodeFlags => ["-v", $"{NodeDirectory}:/opt/node:ro", "--env", "PATH=/opt/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];

    private static string Architecture => RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "x64";

    /// <summary>Fills the cache where it is empty, from inside a sandbox: with its network, its trust, its curl.</summary>
    public static async Task MakeNodeAsync(PrivateDaemon daemon, Uri registry, string[] flags)
    {
        if (File.Exists(NodeDirectory + "/bin/npm"))
        {
            return;
        }

        await using var box = await daemon.CreateAsync(["--net", "nat", .. flags]);
        await RunAsync(box, $"""
            set -e; mkdir -p /tmp/n/bin /tmp/n/npm; cd /tmp/n
            curl -fsS {registry}node-linux-{Architecture}/-/node-linux-{Architecture}-{NodeVersion}.tgz | tar xz --strip-components=2 -C bin package/bin/node
            curl -fsS {registry}npm/-/npm-{NpmVersion}.tgz | tar xz --strip-components=1 -C npm
            printf '#!/bin/sh\nexec /opt/node/bin/node /opt/node/npm/bin/npm-cli.js "$@"\n' >bin/npm; chmod +x bin/npm
            """);
        var making = $"{NodeDirectory}.{Environment.ProcessId}";
        Directory.CreateDirectory(Checkout.Cache);
        await box.Viv.RunAsync("cp", $"{box.Id}:/tmp/n", making);
        if ((await Tools.TryAsync("mv", "-T", making, NodeDirectory)).Succeeded)
        {
            return;
        }

        // Another run was quicker.
        await Tools.TryAsync("rm", "-rf", making);
    }

    /// <summary>Package lists, a package, and its program.</summary>
    public static async Task AptAsync(TestSandbox box)
    {
        await RunAsync(box, "apt-get -qq update");
        var said = await RunAsync(box, "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends hello && hello");
        Assert.Contains("Setting up hello", said, StringComparison.Ordinal);
        Assert.EndsWith("Hello, world!\n", said, StringComparison.Ordinal);
    }

    /// <summary>A package of npm with one it needs, and its use.</summary>
    public static async Task NpmAsync(TestSandbox box, Uri registry) =>
        Assert.EndsWith("true false\n", await RunAsync(box, $"""
            mkdir -p /tmp/app && cd /tmp/app && npm install --registry {registry} --no-audit --no-fund is-odd@3.0.1 && test -d node_modules/is-number &&
            node -e 'const odd = require("is-odd"); console.log(odd(3), odd(4))'
            """), StringComparison.Ordinal);

    public static async Task<string> RunAsync(TestSandbox box, string script)
    {
        var began = TimeProvider.System.GetTimestamp();
        var said = await box.Viv.TryAsync(new VivCall { Arguments = ["exec", box.Id, "--", "sh", "-c", script], Timeout = Time });
        TestContext.Current.TestOutputHelper?.WriteLine($"{TimeProvider.System.GetElapsedTime(began).TotalSeconds:0.0} s: {script.Split('\n')[0]}");
        return said.MustSucceed().Stdout;
    }
}
