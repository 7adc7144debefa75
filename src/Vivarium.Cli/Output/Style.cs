namespace Vivarium.Cli.Output;

/// <summary>The few colours used; each says what it means, not how it looks.</summary>
internal static class Style
{
    public const string Good = "32";
    public const string Warning = "33";
    public const string Bad = "31";
    public const string Faint = "2";
    public const string Strong = "1";

    public static string Paint(bool color, string style, string text) => color ? $"\u001b[{style}m{text}\u001b[0m" : text;

    /// <summary>The style of a sandbox's state, a check's status or a health status.</summary>
    public static string? ForState(string state) => state switch
    {
        "running" or "pass" or "healthy" or "ready" or "succeeded" => Good,
        "failed" or "fail" or "unhealthy" => Bad,
        "warn" or "degraded" or "paused" or "creating" or "starting" or "stopping" or "building" or "pausing" or "resuming" or "rolling_back" or "destroying" => Warning,
        "stopped" or "exited" or "available" => Faint,
        _ => null,
    };

    /// <summary>Text from a guest or a client on our terminal: control characters are shown, not obeyed.</summary>
    public static string Safe(string text)
    {
        if (!text.Any(char.IsControl))
        {
            return text;
        }

        var safe = new System.Text.StringBuilder(text.Length + 8);
        foreach (var c in text)
        {
            _ = c switch
            {
                '\n' => safe.Append("\\n"),
                '\t' => safe.Append("\\t"),
                _ when char.IsControl(c) => safe.Append("\\x").Append(((int)c).ToString("x2", System.Globalization.CultureInfo.InvariantCulture)),
                _ => safe.Append(c),
            };
        }

        return safe.ToString();
    }
}
