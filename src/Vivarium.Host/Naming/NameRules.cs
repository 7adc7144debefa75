using Vivarium.Wire.Errors;

namespace Vivarium.Host.Naming;

/// <summary>Names are validated and never rewritten: what a caller sends is what is stored, or it is refused.</summary>
public static class NameRules
{
    private const int MaxName = 63;
    private const int MaxExternalId = 128;
    private const int MaxLabels = 64;
    private const int MaxLabelValue = 1024;

    /// <summary>A name for people: a DNS label, 1 to 63 of [a-z0-9-], no hyphen at either end.</summary>
    public static void CheckName(string name)
    {
        if (!IsDnsLabel(name))
        {
            throw Bad(
                $"creating a sandbox: the name {Quote(name)} is not a DNS label",
                "Use 1 to 63 of a-z, 0-9 and '-', not starting or ending with '-'.",
                "bad_name");
        }

        // Such a name could not be told from an id, and a reference must mean one thing.
        if (SandboxId.TryParse(name, out _))
        {
            throw Bad($"creating a sandbox: the name {Quote(name)} looks like a sandbox id", "Choose a name that is not 20 letters and digits.", "bad_name");
        }
    }

    /// <summary>The caller's own id: <c>^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$</c> without <c>..</c>.</summary>
    public static void CheckExternalId(string id)
    {
        var good = id.Length is >= 1 and <= MaxExternalId && char.IsAsciiLetterOrDigit(id[0]) && !id.Contains("..", StringComparison.Ordinal)
            && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
        if (!good)
        {
            throw Bad(
                $"creating a sandbox: the external id {Quote(id)} is malformed",
                "Use 1 to 128 of letters, digits, '.', '_' and '-', starting with a letter or digit and without '..'.",
                "bad_external_id");
        }
    }

    /// <summary>A host name: DNS labels joined by dots, at most 64 characters (the kernel's limit).</summary>
    public static void CheckHostname(string hostname)
    {
        if (hostname.Length > 64 || !hostname.Split('.').All(static l => IsDnsLabel(l.ToLowerInvariant())))
        {
            throw Bad($"creating a sandbox: the host name {Quote(hostname)} is malformed", "Use DNS labels joined by dots, at most 64 characters.", "bad_hostname");
        }
    }

    /// <summary>Labels: at most 64; keys 1 to 63 of letters, digits, '.', '_', '-', '/'; values up to 1024 characters without control characters.</summary>
    public static void CheckLabels(IReadOnlyDictionary<string, string> labels)
    {
        if (labels.Count > MaxLabels)
        {
            throw Bad($"creating a sandbox: {labels.Count} labels are too many", $"Use at most {MaxLabels} labels.", "bad_label");
        }

        foreach (var (key, value) in labels)
        {
            if (key.Length is < 1 or > MaxName || !key.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or '/'))
            {
                throw Bad($"creating a sandbox: the label key {Quote(key)} is malformed", "Use 1 to 63 of letters, digits, '.', '_', '-' and '/'.", "bad_label");
            }

            if (value is null || value.Length > MaxLabelValue || value.Any(char.IsControl))
            {
                throw Bad($"creating a sandbox: the value of label {Quote(key)} is malformed", "Use at most 1024 characters and no control characters.", "bad_label");
            }
        }
    }

    /// <summary>Text of a caller inside a message: shortened, control characters shown as '?'.</summary>
    public static string Quote(string text)
    {
        var shown = text.Length > 80 ? text[..77] + "..." : text;
        return "'" + string.Concat(shown.Select(static c => char.IsControl(c) ? '?' : c)) + "'";
    }

    private static bool IsDnsLabel(string text) =>
        text.Length is >= 1 and <= MaxName && text[0] != '-' && text[^1] != '-' && text.All(static c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-');

    private static VivariumException Bad(string message, string hint, string reason) => new(ErrorCode.InvalidArgument, message, hint, reason);
}
