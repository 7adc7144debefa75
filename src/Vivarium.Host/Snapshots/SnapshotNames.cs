using System.Globalization;
using Vivarium.Host.Naming;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.Snapshots;

/// <summary>What snapshots may be called. Turns and tools have names of their own, which nobody else may take.</summary>
internal static class SnapshotNames
{
    private const int MaxName = 63;
    private const int MaxLabel = 256;
    private const int MaxMessage = 4096;
    private static readonly string[] Reserved = ["turn-", "tool-", "pause-"];
    private static readonly string[] Words = ["now", "origin"];

    /// <summary>Name of a turn.</summary>
    public static string OfTurn(int number) => "turn-" + number.ToString("0000", CultureInfo.InvariantCulture);

    /// <summary>Name of the snapshot after a tool: what a caller gives is no part of it.</summary>
    public static string OfTool(string tool, long sequence) => $"tool-{tool}-{sequence.ToString("0000", CultureInfo.InvariantCulture)}";

    /// <summary>Checks a name a caller gives, before anything is done.</summary>
    public static void Check(string name)
    {
        if (name.Length is < 1 or > MaxName || !char.IsAsciiLetterOrDigit(name[0]) || !name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
        {
            throw Bad($"the name {NameRules.Quote(name)} is malformed", "Use 1 to 63 of letters, digits, '.', '_' and '-', starting with a letter or digit.", "bad_name");
        }

        if (Array.Exists(Reserved, prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)) || Words.Contains(name, StringComparer.OrdinalIgnoreCase))
        {
            throw Bad($"the name '{name}' is reserved", "Names that begin with turn-, tool- or pause-, and the words now and origin, mean something of their own.", "reserved_name");
        }

        if (name.All(char.IsAsciiDigit) || SnapshotId.TryParse(name, out _))
        {
            throw Bad($"the name '{name}' could not be told from the number of a turn or an id", "Add a letter or a dash.", "bad_name");
        }
    }

    /// <summary>Checks label and message.</summary>
    public static void CheckTexts(string? label, string? message)
    {
        if (label is not null && (label.Length is < 1 or > MaxLabel || label.Any(char.IsControl)))
        {
            throw Bad($"the label {NameRules.Quote(label)} is malformed", "Use 1 to 256 characters and no control characters.", "bad_label");
        }

        if (message is not null && (message.Length > MaxMessage || message.Any(static c => char.IsControl(c) && c is not '\n' and not '\t')))
        {
            throw Bad("the message is malformed", "Use at most 4096 characters; of control characters only newline and tab.", "bad_message");
        }
    }

    private static VivariumException Bad(string what, string hint, string reason) => new(ErrorCode.InvalidArgument, "taking a snapshot: " + what, hint, reason);
}
