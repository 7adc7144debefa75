using Vivarium.Linux.Files;
using Vivarium.Linux.Processes;
using Vivarium.Supervisor.Logs;

namespace Vivarium.Supervisor.Lifecycle;

/// <summary>
/// What a supervisor gives up when its sandbox runs, beyond what its launcher took (see <c>SupervisorLauncher</c>): from then on it only moves bytes. Not earlier: an
/// engine and its sandbox inherit limits and score.
/// </summary>
internal static class Confinement
{
    /// <summary>All connections it serves at a time, with the streams and logs they need.</summary>
    private const ulong OpenFiles = 8192;

    /// <summary>The sandbox's processes go first when the machine is out of memory: a supervisor is small, and without it the sandbox is lost.</summary>
    private const string OomScore = "-500";

    /// <summary>Applies it; what this process may not do is left and logged.</summary>
    public static void Apply(SupervisorLog log)
    {
        Try("limit of open files", static () => ResourceLimits.Lower(LimitKind.OpenFiles, OpenFiles), log);
        Try("out-of-memory score", static () => PseudoFile.Write("/proc/self/oom_score_adj", OomScore), log);
    }

    private static void Try(string what, Action set, SupervisorLog log)
    {
        try
        {
            set();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log.Write($"the {what} was not set", e);
        }
    }
}
