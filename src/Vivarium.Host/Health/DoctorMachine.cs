using System.Globalization;
using System.Reflection;
using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Health;

/// <summary>The doctor's look at the machine itself: read from /proc and /sys, nothing is tried out.</summary>
internal static class DoctorMachine
{
    private const string Pass = "pass", Warn = "warn";
    private const long LittleMemory = 512L << 20;
    private const long FewDescriptors = 8192;
    private const string DefaultState = "/var/lib/vivarium";
    private const string Unit = "/etc/systemd/system/vivarium.service";

    /// <summary>All of it.</summary>
    public static IEnumerable<DoctorCheck> Checks(HostPaths paths) =>
        paths.State == DefaultState ? [Memory(), OpenFiles(), Loop(), Socket(paths.Socket), Service()] : [Memory(), OpenFiles(), Loop(), Socket(paths.Socket)];

    /// <summary>Whether all supervisors are of the daemon's version; after an upgrade they need not be.</summary>
    public static DoctorCheck Supervisors(SandboxCatalog catalog)
    {
        var ours = typeof(DoctorMachine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";
        string[] others = [.. catalog.All().Select(static s => s.Link?.Info.Version).OfType<string>().Where(v => v != ours)];
        return others.Length == 0
            ? Check("supervisors", Pass, $"none of another version than the daemon's, {ours}")
            : Check(
                "supervisors",
                Warn,
                $"{others.Length} of another version ({string.Join(", ", others.Distinct().Order(StringComparer.Ordinal))}) than the daemon's, {ours}: their sandboxes go on as they were started",
                "viv restart NAME starts one with the new version, when it suits.");
    }

    private static DoctorCheck Memory()
    {
        var lines = File.ReadAllLines("/proc/meminfo");
        var (total, available) = (KiB(lines, "MemTotal:") << 10, KiB(lines, "MemAvailable:") << 10);
        var text = $"{available >> 20} MiB available of {total >> 20} MiB";
        return available >= LittleMemory
            ? Check("memory", Pass, text)
            : Check("memory", Warn, text, "Stop sandboxes (viv top --sort memory shows the largest), or give the machine more.");
    }

    private static DoctorCheck OpenFiles()
    {
        var line = File.ReadLines("/proc/self/limits").First(static l => l.StartsWith("Max open files", StringComparison.Ordinal));
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var most = words[3] == "unlimited" ? long.MaxValue : long.Parse(words[3], CultureInfo.InvariantCulture);
        var used = Directory.EnumerateFileSystemEntries("/proc/self/fd").Count();
        return most >= FewDescriptors && used < most / 5 * 4
            ? Check("open_files", Pass, $"the daemon has {used} descriptors open and may have {most}")
            : Check("open_files", Warn, $"the daemon has {used} descriptors open and may have {most}", "Raise LimitNOFILE of the unit, or ulimit -n before the daemon is started.");
    }

    private static DoctorCheck Loop() => File.Exists("/dev/loop-control")
        ? Check("loop", Pass, "loop devices can be made: a pool in a file works")
        : Check("loop", Warn, "there is no /dev/loop-control: a pool in a file does not work", "modprobe loop, or put the pool on a btrfs file system (pool.path).");

    private static DoctorCheck Socket(string path)
    {
        var mode = File.GetUnixFileMode(path);
        const UnixFileMode others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        return (mode & others) == 0
            ? Check("socket", Pass, $"{path} is closed to others (mode {Convert.ToString((int)mode, 8)})")
            : Check("socket", Warn, $"{path} is open to everybody (mode {Convert.ToString((int)mode, 8)}), which is as good as root for all", "viv daemon restart makes it anew with the right mode.");
    }

    /// <summary>Source: systemd.exec(5), $INVOCATION_ID.</summary>
    private static DoctorCheck Service() =>
        !File.Exists(Unit) ? Check("service", Pass, "no unit is installed: viv starts the daemon when it is needed ('viv install' makes a service of it)")
        : Environment.GetEnvironmentVariable("INVOCATION_ID") is { Length: > 0 } ? Check("service", Pass, "the daemon was started by systemd")
        : Check("service", Warn, "vivarium.service is installed, but this daemon was not started by it", "viv daemon stop; systemctl start vivarium");

    private static long KiB(string[] lines, string key)
    {
        var line = lines.FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal));
        return line is null ? 0 : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    private static DoctorCheck Check(string name, string status, string message, string? hint = null) => new() { Name = name, Status = status, Message = message, Hint = hint };
}
