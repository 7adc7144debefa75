using System.Reflection;

namespace Vivarium.Supervisor;

/// <summary>Version of this program.</summary>
internal static class SupervisorVersion
{
    /// <summary>As in <c>0.1.0</c>.</summary>
    public static string Text { get; } =
        typeof(SupervisorVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";
}
