using System.Reflection;

namespace Vivarium.Cli;

/// <summary>The version this program was built as.</summary>
internal static class AppVersion
{
    public static string Text { get; } = Assembly.GetExecutingAssembly().GetName().Version is { } version ? $"{version.Major}.{version.Minor}.{version.Build}" : "0";
}
