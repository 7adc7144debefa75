using System.Globalization;

namespace Vivarium.Runtimes.Oci;

/// <summary>What this process may grant a container. Even root may lack CAP_SYS_RESOURCE (in a container or a restricted service). Sources: capabilities(7), proc(5).</summary>
/// <param name="MayRaiseLimits">Whether limits may be raised and the out-of-memory score lowered.</param>
/// <param name="OpenFiles">Highest limit of open descriptors that can be granted.</param>
internal sealed record HostAllowance(bool MayRaiseLimits, ulong OpenFiles)
{
    private const int CAP_SYS_RESOURCE = 24;
    private const ulong WantedOpenFiles = 1_048_576;

    private static readonly Lazy<HostAllowance> OfThisProcess = new(static () => Parse(File.ReadLines("/proc/self/status"), File.ReadLines("/proc/self/limits")));

    /// <summary>Of this process.</summary>
    public static HostAllowance Current => OfThisProcess.Value;

    internal static HostAllowance Parse(IEnumerable<string> status, IEnumerable<string> limits)
    {
        const string Capabilities = "CapEff:";
        const string Files = "Max open files";
        var capabilities = status.First(static line => line.StartsWith(Capabilities, StringComparison.Ordinal))[Capabilities.Length..];
        var mayRaise = (ulong.Parse(capabilities, NumberStyles.HexNumber | NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture) >> CAP_SYS_RESOURCE & 1) != 0;
        var hard = limits.First(static line => line.StartsWith(Files, StringComparison.Ordinal))[Files.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        var files = ulong.TryParse(hard, CultureInfo.InvariantCulture, out var number) ? number : WantedOpenFiles;
        return new HostAllowance(mayRaise, mayRaise ? WantedOpenFiles : Math.Min(files, WantedOpenFiles));
    }
}
