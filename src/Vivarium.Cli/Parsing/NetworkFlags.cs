using System.CommandLine;
using Vivarium.Configuration.Policy;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Parsing;

/// <summary>
/// The flags of a sandbox's network, for run, create and set: the mode, and what it may reach. A policy file says all of it; flags beside it win over what it says.
/// </summary>
internal sealed class NetworkFlags
{
    private const long MaxFileBytes = 256 * 1024;

    private readonly Option<string> _net = Opt.Text("--net", "MODE", "network: none, nat or policy:FILE");
    private readonly Option<string[]> _allow = Opt.Many("--allow", "RULE", "open an address or range, such as 10.1.2.3:443, or a sandbox, NAME.viv");
    private readonly Option<string[]> _deny = Opt.Many("--deny", "RULE", "close an address or range; 'all' closes what is not allowed");
    private readonly Option<string> _bandwidth = Opt.Text("--bandwidth", "SIZE", "most bytes a second each way, such as 10MiB");

    public NetworkFlags(Command command)
    {
        command.Options.Add(_net);
        command.Options.Add(_allow);
        command.Options.Add(_deny);
        command.Options.Add(_bandwidth);
    }

    /// <summary>The mode; null when no flag says it.</summary>
    public string? Mode(Invocation call)
    {
        var net = call.Get(_net);
        return net is null ? null : FileOf(net) is not null ? "nat" : Values.OneOf(net, "--net", "none", "nat");
    }

    /// <summary>Whether a file says the whole policy.</summary>
    public bool IsFile(Invocation call) => FileOf(call.Get(_net) ?? "") is not null;

    /// <summary>The policy; null when no flag says anything of it.</summary>
    public NetworkPolicySpec? Policy(Invocation call)
    {
        var file = FileOf(call.Get(_net) ?? "") is { } path ? Read(path) : null;
        var allow = Given(call.Get(_allow));
        var deny = Given(call.Get(_deny));
        var bandwidth = Values.Size(call.Get(_bandwidth), "--bandwidth");
        return file is null && allow is null && deny is null && bandwidth is null ? null : (file ?? new NetworkPolicySpec()) with
        {
            Allow = allow ?? file?.Allow,
            Deny = deny ?? file?.Deny,
            BandwidthBytes = bandwidth ?? file?.BandwidthBytes,
        };
    }

    // "none" empties a list: for set.
    private static string[]? Given(string[]? rules) => rules is not { Length: > 0 } ? null : rules is ["none"] ? [] : rules;

    private static string? FileOf(string net) => net.StartsWith("policy:", StringComparison.Ordinal) ? net["policy:".Length..] : null;

    private static NetworkPolicySpec Read(string path)
    {
        try
        {
            return new FileInfo(path).Length <= MaxFileBytes
                ? NetworkPolicyFile.Parse(File.ReadAllText(path), path)
                : throw new VivariumException(ErrorCode.InvalidArgument, $"--net: the policy file {path} is larger than {MaxFileBytes / 1024} KiB", "use ranges instead of single addresses", "bad_policy");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VivariumException(ErrorCode.NotFound, $"--net: the policy file {path} cannot be read: {e.Message}", "give the path of a TOML file after 'policy:'", "no_policy_file");
        }
    }
}
