using System.CommandLine;
using System.Globalization;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv show</c>: everything known about a sandbox.</summary>
internal sealed class ShowCommand : Verb
{
    private readonly Argument<string[]> _sandboxes = Opt.Some("SANDBOX…", "name, id or unambiguous prefix");
    private readonly Option<bool> _json = Opt.Json();

    public ShowCommand()
        : base("show", "Shows everything known about sandboxes.")
    {
        Arguments.Add(_sandboxes);
        Options.Add(_json);
    }

    public static Verb Make() => new ShowCommand
    {
        Usage = "[flags] SANDBOX…",
        Examples = [("viv show quiet-fox", "by name"), ("viv show --json k3j", "by the beginning of its id, for scripts")],
    };

    public override int Run(Invocation call)
    {
        using var host = call.Connect();
        var first = true;
        return References.ForEach([.. call.Get(_sandboxes)!], call, reference =>
        {
            var sandbox = host.Call(HostMethod.Get, new RefParams { Ref = reference }, HostJson.Default.RefParams, HostJson.Default.SandboxInfo);
            if (call.Json)
            {
                JsonOut.Print(call.Output, sandbox, HostJson.Default.SandboxInfo);
                return;
            }

            if (!first)
            {
                call.Output.Line();
            }

            first = false;
            Write(call, sandbox);
        });
    }

    private static void WritePolicy(Fields fields, NetworkPolicySpec? policy)
    {
        fields.Add("rest of network", policy?.Default);
        fields.Add("allow", policy?.Allow is { Count: > 0 } allow ? string.Join(", ", allow) : null);
        fields.Add("deny", policy?.Deny is { Count: > 0 } deny ? string.Join(", ", deny) : null);
        fields.Add("bandwidth", policy?.BandwidthBytes is { } bytes and > 0 ? Humanize.Bytes(bytes) + "/s" : null);
        fields.Add("connections", policy?.Connections?.ToString(CultureInfo.InvariantCulture));
        fields.Add("dns", policy?.Dns is false ? "sandboxes' own names only" : null);
    }

    private static void Write(Invocation call, SandboxInfo sandbox)
    {
        var fields = new Fields(call.Output);
        fields.Add("name", sandbox.Name);
        fields.Add("id", sandbox.Id);
        fields.Add("external id", sandbox.ExternalId);
        fields.Add("state", sandbox.State, Style.ForState(sandbox.State));
        fields.Add("reason", sandbox.Reason);
        fields.Add("message", sandbox.Message);
        fields.Add("runtime", $"{sandbox.Runtime} ({sandbox.Engine})" + (sandbox.Isolated ? "" : ", NOT ISOLATED"), sandbox.Isolated ? null : Style.Bad);
        fields.Add("template", $"{sandbox.Template} ({sandbox.TemplateDigest})");
        fields.Add("cpus", Humanize.Number(sandbox.Resources.Cpus));
        fields.Add("memory", Humanize.Bytes(sandbox.Resources.MemoryBytes));
        fields.Add("processes", sandbox.Resources.Pids.ToString(CultureInfo.InvariantCulture));
        fields.Add(
            "disk",
            sandbox.Resources.DiskBytes is not { } disk ? null
                : Humanize.Bytes(disk) + (sandbox.DiskUsedBytes is { } used ? $", {Humanize.Bytes(used)} used beyond the template" : ""));
        fields.Add("network", sandbox.Network);
        fields.Add("addresses", sandbox.Addresses is { } addresses ? string.Join(", ", addresses) : null);
        WritePolicy(fields, sandbox.Policy);
        fields.Add("created", Humanize.Time(sandbox.CreatedUnixMs, call.Clock));
        fields.Add("started", sandbox.StartedUnixMs is { } started ? Humanize.Time(started, call.Clock) : null);
        fields.Add("expires", sandbox.ExpiresUnixMs is { } expires ? $"{Humanize.Time(expires, call.Clock)} ({sandbox.OnTimeout ?? "kill"})" : null);
        fields.Add("idle limit", sandbox.IdleTimeoutMs is { } idle ? Configuration.Values.DurationText.Format(TimeSpan.FromMilliseconds(idle)) : null);
        fields.Add("user", sandbox.User);
        fields.Add("directory", sandbox.Workdir);
        fields.Add("host name", sandbox.Hostname);
        fields.Add("paused to", sandbox.PausedTo);
        fields.Add("turns", sandbox.Turns?.ToString(CultureInfo.InvariantCulture));
        fields.Add("snapshot", sandbox.Snapshot);
        fields.Add("rolled back", sandbox.RolledBackUnixMs is { } back ? Humanize.Time(back, call.Clock) : null);
        fields.Add("forked from", sandbox.ForkedFrom);
        fields.Add("boot id", sandbox.BootId);
        fields.Add("supervisor", sandbox.SupervisorPid > 0 ? $"process {sandbox.SupervisorPid}" : null);
        foreach (var (key, value) in sandbox.Labels ?? new Dictionary<string, string>())
        {
            fields.Add("label", $"{key}={value}");
        }

        foreach (var port in sandbox.Ports ?? [])
        {
            fields.Add("port", $"{PortText.HostOf(port)} leads to {port.GuestPort.ToString(CultureInfo.InvariantCulture)}");
        }

        foreach (var share in sandbox.Shares ?? [])
        {
            fields.Add("share", $"{share.HostPath} at {share.GuestPath}{(share.ReadOnly ? ", read-only" : "")}");
        }

        if (sandbox.Capabilities is { } can)
        {
            (string Word, bool Has)[] words =
                [("pause", can.Pause), ("checkpoint", can.Checkpoint), ("limits", can.Limits), ("user-namespace", can.UserNamespace), ("network-namespace", can.NetworkNamespace)];
            fields.Add("can", string.Join(", ", words.Where(word => word.Has).Select(word => word.Word)));
        }
    }
}
