using System.Globalization;
using System.Text;
using Vivarium.Linux.Cgroups;
using Vivarium.Linux.Mounts;

namespace Vivarium.TestKit;

/// <summary>What exists before a test and after it. Take one, run the test, then ask for <see cref="AssertNothingNewAsync"/>.</summary>
public sealed class LeakCheck
{
    private const int ThreadSlack = 12; // the pool grows and shrinks as it likes

    private readonly LeakScope scope;
    private readonly SortedSet<string> before;
    private readonly int threadsBefore;

    private LeakCheck(LeakScope scope)
    {
        this.scope = scope;
        before = Snapshot(scope);
        threadsBefore = Threads();
    }

    /// <summary>Remembers what is there now.</summary>
    public static LeakCheck Begin(LeakScope? scope = null) => new(scope ?? new LeakScope());

    /// <summary>Waits until nothing is there that was not there before; throws with a list of what is.</summary>
    public async Task AssertNothingNewAsync(TimeSpan? within = null)
    {
        string report = "";
        try
        {
            await Eventually.True(
                () =>
                {
                    GC.Collect(); // an abandoned handle is closed by its finaliser; only one still referenced is a leak
                    GC.WaitForPendingFinalizers();
                    report = Difference();
                    return report.Length == 0;
                },
                within ?? TimeSpan.FromSeconds(5),
                "nothing is left behind").ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new InvalidOperationException("left behind:\n" + report);
        }
    }

    /// <summary>One line for each new thing; empty when there is none.</summary>
    public string Difference()
    {
        var report = new StringBuilder();
        foreach (var line in Snapshot(scope).Except(before))
        {
            report.Append("  ").AppendLine(line);
        }

        if (scope.Process && Threads() > threadsBefore + ThreadSlack)
        {
            report.AppendLine(CultureInfo.InvariantCulture, $"  threads: {threadsBefore} before, {Threads()} now");
        }

        return report.ToString();
    }

    private static int Threads() => Directory.GetDirectories("/proc/self/task").Length;

    private static SortedSet<string> Snapshot(LeakScope scope)
    {
        SortedSet<string> found = new(StringComparer.Ordinal);
        if (scope.Process)
        {
            found.UnionWith(ProcessSnapshot.Descriptors());
            found.UnionWith(ProcessSnapshot.Children());
        }

        foreach (var path in scope.MountsBelow)
        {
            found.UnionWith(MountTable.AtAndBelow(path).Select(m => $"mount: {m.FileSystem} {m.Source} on {m.MountPoint} (id {m.Id})"));
        }

        if (scope.CgroupRoot is { } root)
        {
            found.UnionWith(new Cgroup(CgroupLayout.Detect(), root).Directories.Where(Directory.Exists)
                .SelectMany(d => Directory.EnumerateDirectories(d, "*", SearchOption.AllDirectories)).Select(d => "cgroup: " + d));
        }

        if (scope.LoopFilesBelow.Count > 0)
        {
            found.UnionWith(ProcessSnapshot.LoopDevices(scope.LoopFilesBelow));
        }

        if (scope.ProcessesMentioning is { } text)
        {
            found.UnionWith(ProcessSnapshot.Mentioning(text));
        }

        return found;
    }
}
