using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Sandboxes;

/// <summary>
/// Changes what a sandbox's network may reach, at once, and its mode while it is stopped. The record is written first: a crash in between leaves a policy the next daemon
/// brings the host to.
/// </summary>
internal sealed class SetSandboxNetwork(HostServices host)
{
    public Task<SetNetworkReply> RunAsync(Sandbox sandbox, SetNetworkParams wanted) => sandbox.PerformAsync(GateRules.SetNetwork, async token =>
    {
        var before = sandbox.Record;
        var mode = wanted.Network is null ? before.Network : CreateRequest.NetworkOf(wanted.Network, before.Runtime);
        var policy = Merge(wanted.Reset ? null : before.Policy, wanted.Policy);
        if (mode != "nat" && policy is not null)
        {
            throw new VivariumException(
                ErrorCode.InvalidArgument,
                $"setting the network of sandbox {before.Name}: network {mode} has no policy to enforce",
                "Use --net nat with it, or forget the policy with --reset.",
                "policy_without_network");
        }

        if (policy is not null)
        {
            host.Networks.Check(policy);
        }

        var live = SandboxStates.HasSupervisor(before.State);
        var next = before with { Policy = policy };
        if (mode != before.Network)
        {
            next = live
                ? throw new VivariumException(
                    ErrorCode.FailedPrecondition,
                    $"setting the network of sandbox {before.Name}: its mode cannot change from {before.Network} to {mode} while it is {before.State}",
                    $"Stop it first: viv stop {before.Name}",
                    "needs_stop")
                : await SwitchAsync(next, mode).ConfigureAwait(false);
        }

        sandbox.Publish(next);
        await host.Table.UpdateAsync(next).ConfigureAwait(false);
        var cut = live ? await host.Networks.ChangeAsync(next, token).ConfigureAwait(false) : 0;
        host.Events.Publish("sandbox.network_changed", next, "requested");
        return new SetNetworkReply { Sandbox = SandboxView.Of(sandbox), Cut = cut };
    });

    private async Task<SandboxRecord> SwitchAsync(SandboxRecord record, string mode)
    {
        if (mode == "nat")
        {
            return host.Networks.Reserve(record with { Network = mode });
        }

        await host.Networks.CloseAsync(record).ConfigureAwait(false);
        return record with { Network = mode, Ipv4 = null, Ipv6 = null };
    }

    private static NetworkPolicySpec? Merge(NetworkPolicySpec? old, NetworkPolicySpec? given) => given is null ? old : new NetworkPolicySpec
    {
        Default = given.Default ?? old?.Default,
        Allow = given.Allow ?? old?.Allow,
        Deny = given.Deny ?? old?.Deny,
        BandwidthBytes = given.BandwidthBytes ?? old?.BandwidthBytes,
        Connections = given.Connections ?? old?.Connections,
        Dns = given.Dns ?? old?.Dns,
    };
}
