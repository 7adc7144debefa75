using Vivarium.Configuration.Toml;
using Vivarium.Configuration.Values;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Configuration.Policy;

/// <summary>
/// A network policy as a TOML file: <c>default</c>, <c>allow</c>, <c>deny</c>, <c>bandwidth</c>, <c>connections</c>, <c>dns</c>, all optional. Unknown keys are errors, because a misspelt
/// <c>deny</c> would otherwise leave open what was to be closed. What the rules themselves mean is checked by the daemon.
/// </summary>
public static class NetworkPolicyFile
{
    /// <summary>Reads a policy.</summary>
    /// <param name="text">The file.</param>
    /// <param name="name">Its name, for messages.</param>
    /// <exception cref="VivariumException">invalid_argument <c>bad_policy</c> with line and key of the first error.</exception>
    public static NetworkPolicySpec Parse(string text, string name)
    {
        var document = new TomlReader().Read(text);
        if (document.Errors.Count > 0)
        {
            throw Bad(name, document.Errors[0].Position, document.Errors[0].Message);
        }

        var policy = new NetworkPolicySpec();
        foreach (var (key, value, position) in document.Root.Entries)
        {
            policy = key switch
            {
                "default" => policy with { Default = Text(name, key, value) },
                "allow" => policy with { Allow = Texts(name, key, value) },
                "deny" => policy with { Deny = Texts(name, key, value) },
                "bandwidth" => policy with { BandwidthBytes = Bytes(name, key, value) },
                "connections" => policy with
                {
                    Connections = value is TomlScalar { Value: long and >= 1 and <= int.MaxValue and var count } ? (int)count : throw Bad(name, value.Position, $"{key} must be a whole number above 0"),
                },
                "dns" => policy with { Dns = value is TomlScalar { Value: bool dns } ? dns : throw Bad(name, value.Position, $"{key} must be true or false, not {value.Describe()}") },
                _ => throw Bad(name, position, $"unknown key '{key}'; there are default, allow, deny, bandwidth, connections, dns"),
            };
        }

        return policy;
    }

    private static string Text(string name, string key, TomlNode node) =>
        node is TomlScalar { Value: string text } ? text : throw Bad(name, node.Position, $"{key} must be a string, not {node.Describe()}");

    private static List<string> Texts(string name, string key, TomlNode node) =>
        node is TomlArray array ? [.. array.Items.Select(item => Text(name, $"every item of {key}", item))] : throw Bad(name, node.Position, $"{key} must be an array of strings, not {node.Describe()}");

    private static long Bytes(string name, string key, TomlNode node) =>
        node is TomlScalar { Value: long and >= 0 and var bytes } ? bytes
        : node is TomlScalar { Value: string text } && ByteSize.TryParse(text, out var size) ? size.Bytes
        : throw Bad(name, node.Position, $"{key} must be a size such as \"10MiB\" (bytes a second)");

    private static VivariumException Bad(string name, TomlPosition at, string what) =>
        new(ErrorCode.InvalidArgument, $"the network policy {name}, line {at.Line}: {what}", "docs/networking.md describes the file.", "bad_policy");
}
