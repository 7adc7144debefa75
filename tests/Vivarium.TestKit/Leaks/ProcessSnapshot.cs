using System.Globalization;
using Vivarium.Linux.Files;

namespace Vivarium.TestKit;

/// <summary>Reads /proc and /sys for <see cref="LeakCheck"/>.</summary>
internal static class ProcessSnapshot
{
    public static IEnumerable<string> Descriptors()
    {
        foreach (var path in Directory.GetFiles("/proc/self/fd").Concat(Directory.GetDirectories("/proc/self/fd")))
        {
            string? target;
            try
            {
                target = new FileInfo(path).LinkTarget;
            }
            catch (IOException)
            {
                continue;
            }

            // The snapshot's own look at the directory, and libraries that are loaded when first used, are no leaks.
            if (target is not null && !target.Contains("/proc/", StringComparison.Ordinal) && !target.EndsWith(".dll", StringComparison.Ordinal)
                && !target.EndsWith(".so", StringComparison.Ordinal))
            {
                yield return $"descriptor: {Path.GetFileName(path)} → {target}";
            }
        }
    }

    public static IEnumerable<string> Children()
    {
        foreach (var task in Directory.GetDirectories("/proc/self/task"))
        {
            var text = PseudoFile.TryRead(task + "/children") ?? "";
            foreach (var pid in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                yield return $"child: {pid} {CommandLine(pid)}";
            }
        }
    }

    public static IEnumerable<string> LoopDevices(IReadOnlyList<string> below)
    {
        foreach (var device in Directory.GetDirectories("/sys/block", "loop*"))
        {
            var backing = PseudoFile.TryRead(device + "/loop/backing_file");
            if (backing is not null && below.Any(b => backing.StartsWith(b, StringComparison.Ordinal)))
            {
                yield return $"loop device: {Path.GetFileName(device)} of {backing}";
            }
        }
    }

    public static IEnumerable<string> Mentioning(string text)
    {
        foreach (var directory in Directory.GetDirectories("/proc"))
        {
            var name = Path.GetFileName(directory);
            if (int.TryParse(name, CultureInfo.InvariantCulture, out var pid) && pid != Environment.ProcessId && CommandLine(name) is var line
                && line.Contains(text, StringComparison.Ordinal))
            {
                yield return $"process: {pid} {line}";
            }
        }
    }

    private static string CommandLine(string pid) => (PseudoFile.TryRead($"/proc/{pid}/cmdline") ?? "").Replace('\0', ' ').Trim();
}
