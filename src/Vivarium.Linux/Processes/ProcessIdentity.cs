using System.Globalization;

namespace Vivarium.Linux.Processes;

/// <summary>
/// A process beyond doubt, also after this program or the machine has restarted: pids are reused, but not with the same start time in the
/// same boot. Sources: /proc/pid/stat field 22 in proc(5), /proc/sys/kernel/random/boot_id in random(4).
/// </summary>
/// <param name="Pid">Process id.</param>
/// <param name="StartTicks">Start time in clock ticks since boot.</param>
/// <param name="BootId">Random id of the boot.</param>
public readonly record struct ProcessIdentity(int Pid, ulong StartTicks, string BootId)
{
    private static readonly Lazy<string> CurrentBoot = new(ReadBootId);

    /// <summary>Random id of this boot of the machine.</summary>
    public static string CurrentBootId => CurrentBoot.Value;

    /// <summary>Of a process that runs now.</summary>
    /// <exception cref="LinuxException">ESRCH: there is no such process.</exception>
    public static ProcessIdentity Of(int pid) =>
        ReadStat(pid) is { } stat ? new(pid, stat.StartTicks, CurrentBootId) : throw new LinuxException("identify process", $"{pid}", Errno.ESRCH);

    /// <summary>Whether this very process still runs; a zombie does not.</summary>
    public bool IsAlive() =>
        BootId == CurrentBootId && ReadStat(Pid) is { } stat && stat.StartTicks == StartTicks && stat.State is not ('Z' or 'X');

    /// <summary>Sends a signal if this very process still runs; false when it does not. (The check and the signal are two calls: microseconds, not proof.)</summary>
    public bool Signal(int signal) => IsAlive() && Signals.Send(Pid, signal);

    private static string ReadBootId()
    {
        try
        {
            return File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
        }
        catch (IOException)
        {
            return "unknown"; // gVisor has no such file, and a sandbox does not outlive its boot anyway
        }
    }

    internal static (char State, int ParentPid, ulong StartTicks)? ReadStat(int pid)
    {
        string text;
        try
        {
            text = File.ReadAllText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/stat");
        }
        catch (IOException)
        {
            return null; // gone, or going (ESRCH while reading)
        }

        // The second field is the program's name in parentheses and may itself contain anything.
        var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
        return (fields[0][0], int.Parse(fields[1], CultureInfo.InvariantCulture), ulong.Parse(fields[19], CultureInfo.InvariantCulture));
    }
}
