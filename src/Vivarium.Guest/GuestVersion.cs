namespace Vivarium.Guest;

/// <summary>The program's version.</summary>
internal static class GuestVersion
{
    /// <summary>For example <c>0.1.0</c>.</summary>
    public static string Text { get; } = typeof(GuestVersion).Assembly.GetName().Version?.ToString(3) ?? "0";
}
