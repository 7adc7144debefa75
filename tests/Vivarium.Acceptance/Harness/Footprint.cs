using System.Text.RegularExpressions;
using Vivarium.Linux.Processes;

namespace Vivarium.Acceptance.Harness;

/// <summary>
/// Everything on the machine that belongs to one private daemon, found by its directory and its cgroup's name: what a leak check compares.
/// </summary>
internal sealed partial record Footprint(
    IReadOnlyList<string> Processes, IReadOnlyList<string> Mounts, IReadOnlyList<string> Cgroups, IReadOnlyList<string> Loops, IReadOnlyList<string> Directories,
    IReadOnlyList<string> Links)
{
    public static Footprint Of(PrivateDaemon daemon)
    {
        if (daemon.Home.Length == 0)
        {
            throw new InvalidOperationException("this daemon was never made: it has no directory its things could be known by");
        }

        var pids = ProcessesOf(daemon);
        return new Footprint(
            [.. pids.Select(p => $"process {p.Pid} {p.Command}")],
            [.. File.ReadLines("/proc/self/mountinfo").Where(l => l.Contains(daemon.Home, StringComparison.Ordinal)).Select(l => $"mount {l.Split(' ')[4]}")],
            // The empty directory they all stand in is the daemon's, made with the first and swept at its next start; it belongs to no test.
            [.. CgroupsOf(daemon).Where(d => !d.EndsWith(daemon.CgroupRoot, StringComparison.Ordinal)).Select(d => $"cgroup {d}")],
            [.. LoopsOf(daemon).Select(d => $"loop device {d}")],
            [.. DirectoriesOf(daemon)],
            // The bridge goes with the last daemon; its ports belong to sandboxes.
            [.. LinksOf(daemon).Where(n => n != daemon.Bridge).Select(n => $"interface {n}")]);
    }

    /// <summary>What is here and was not in <paramref name="before"/>. The daemon itself and its pool come and go with it and belong to no test.</summary>
    public IReadOnlyList<string> Since(Footprint before) =>
        [.. All().Except(before.All()).Where(thing => !DaemonsOwn().IsMatch(thing))];

    private IEnumerable<string> All() => [.. Processes, .. Mounts, .. Cgroups, .. Loops, .. Directories, .. Links];

    /// <summary>Takes away by force whatever there is; for the end of a run, after the leak check has said what it had to say.</summary>
    public static async Task EraseAsync(PrivateDaemon daemon)
    {
        // A fixture that failed before it had a directory: everything on the machine would match an empty path.
        if (daemon.Home.Length == 0)
        {
            return;
        }

        foreach (var (pid, _) in ProcessesOf(daemon))
        {
            Signals.Send(pid, Signals.SIGKILL);
        }

        await Eventually.TryAsync(() => ProcessesOf(daemon).Count == 0, TimeSpan.FromSeconds(5));
        foreach (var line in File.ReadLines("/proc/self/mountinfo").Select(l => l.Split(' ')[4]).Where(m => m.StartsWith(daemon.Home, StringComparison.Ordinal)).Reverse().ToList())
        {
            await Tools.TryAsync("umount", "-l", line);
        }

        foreach (var loop in LoopsOf(daemon))
        {
            await Tools.TryAsync("losetup", "-d", loop.Split(' ')[0]);
        }

        foreach (var cgroup in CgroupsOf(daemon).OrderByDescending(d => d.Length))
        {
            await Tools.TryAsync("rmdir", cgroup);
        }

        foreach (var link in LinksOf(daemon))
        {
            await Tools.TryAsync("ip", "link", "delete", link);
        }

        foreach (var family in (string[])["inet", "bridge"])
        {
            await Tools.TryAsync("nft", "delete", "table", family, daemon.NetworkTable);
        }

        await Tools.TryAsync("rm", "-rf", "--one-file-system", daemon.Home);
    }

    private static List<(int Pid, string Command)> ProcessesOf(PrivateDaemon daemon)
    {
        var found = new List<(int, string)>();
        foreach (var dir in Directory.EnumerateDirectories("/proc").Where(d => char.IsAsciiDigit(Path.GetFileName(d)[0])))
        {
            try
            {
                var command = File.ReadAllText(dir + "/cmdline").Replace('\0', ' ').Trim();
                var ours = command.Contains(daemon.Home, StringComparison.Ordinal)
                    || File.ReadAllText(dir + "/cgroup").Contains(daemon.CgroupRoot + "/", StringComparison.Ordinal)
                    || File.ReadAllText(dir + "/environ").Contains(daemon.ConfigFile, StringComparison.Ordinal);
                if (ours && command.Length > 0)
                {
                    found.Add((int.Parse(Path.GetFileName(dir), null), command.Length > 160 ? command[..160] : command));
                }
            }
            catch (IOException)
            {
                // It ended while we looked.
            }
            catch (UnauthorizedAccessException)
            {
                // It ended while we looked.
            }
        }

        return found;
    }

    private static IEnumerable<string> CgroupsOf(PrivateDaemon daemon)
    {
        var roots = Directory.EnumerateDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup").Select(d => d + daemon.CgroupRoot).Where(Directory.Exists);
        return roots.SelectMany(root => Directory.EnumerateDirectories(root, "*", SearchOption.AllDirectories).Append(root)).ToList();
    }

    private static List<string> LoopsOf(PrivateDaemon daemon) =>
        [.. Directory.EnumerateDirectories("/sys/block", "loop*")
            .Where(d => File.Exists(d + "/loop/backing_file"))
            .Select(d => (Device: "/dev/" + Path.GetFileName(d), File: Read(d + "/loop/backing_file")))
            .Where(l => l.File.StartsWith(daemon.Home, StringComparison.Ordinal))
            .Select(l => $"{l.Device} {l.File}")];

    private static List<string> LinksOf(PrivateDaemon daemon) =>
        [.. Directory.EnumerateFileSystemEntries("/sys/class/net").Select(p => Path.GetFileName(p)).Where(n => n == daemon.Bridge || n.StartsWith(daemon.Bridge + "-", StringComparison.Ordinal))];

    // What is made per sandbox: runtime directory, state directory, volume.
    private static IEnumerable<string> DirectoriesOf(PrivateDaemon daemon)
    {
        string[] parents = [daemon.Runtime, Path.Combine(daemon.State, "sandboxes"), Path.Combine(daemon.State, "pool", "sandboxes")];
        return parents.Where(Directory.Exists).SelectMany(Directory.EnumerateDirectories).Select(d => $"directory {d}").ToList();
    }

    [GeneratedRegex("/vivd/vivd|/state/pool(\\.img)?$")]
    private static partial Regex DaemonsOwn();

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (IOException)
        {
            return "";
        }
    }
}
