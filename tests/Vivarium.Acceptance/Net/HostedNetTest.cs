using System.Globalization;
using Vivarium.Acceptance.Harness;
using Vivarium.Transport.Host;
using Vivarium.Wire.Host;

namespace Vivarium.Acceptance.Net;

/// <summary>What tests on a daemon in a namespace of its own share.</summary>
public abstract class HostedNetTest(HostedDaemon daemon) : VivTest(daemon)
{
    internal HostedDaemon Net => (HostedDaemon)Daemon;

    internal static async Task<string[]> AddressesAsync(TestSandbox box) =>
        [.. (await box.ShowAsync()).GetProperty("addresses").EnumerateArray().Select(static a => a.GetString()!)];

    internal static string MacOf(string address) =>
        "02:76:" + string.Join(':', address.Split('.').Select(static part => int.Parse(part, CultureInfo.InvariantCulture).ToString("x2", CultureInfo.InvariantCulture)));

    /// <summary>A sandbox with network and the probe in it.</summary>
    internal async Task<TestSandbox> CreateProbedAsync(params string[] flags)
    {
        var box = await Daemon.CreateAsync(["--net", "nat", .. flags]);
        await NetProbe.GiveAsync(box);
        return box;
    }

    internal async Task SetAsync(TestSandbox box, NetworkPolicySpec policy)
    {
        await using var client = await HostClient.ConnectAsync(Daemon.Socket, cancellationToken: TestContext.Current.CancellationToken);
        await client.SetNetworkAsync(new SetNetworkParams { Ref = box.Id, Policy = policy }, TestContext.Current.CancellationToken);
    }

    /// <summary>Whether a web page answers.</summary>
    internal static async Task<bool> ReachesAsync(TestSandbox box, string address) =>
        (await NetProbe.InAsync(box, [$"tcp {address} 80"], "check", "6")).EndsWith(" open\n", StringComparison.Ordinal);
}
