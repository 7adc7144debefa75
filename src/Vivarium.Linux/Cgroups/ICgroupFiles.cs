using System.Globalization;
using Vivarium.Linux.Files;

namespace Vivarium.Linux.Cgroups;

/// <summary>The two dialects in which the kernel speaks about a group.</summary>
internal interface ICgroupFiles
{
    void SetLimits(CgroupLimits limits);

    CgroupUsage Usage();

    void RequestFreeze(bool frozen);

    bool IsFrozen(bool wanted);

    void Kill(IReadOnlyCollection<int> pids);

    /// <summary>Microseconds of CPU time per period of 100 ms; the kernel's minimum is 1 ms.</summary>
    internal static long Quota(double cpus) => Math.Max(1000, (long)Math.Round(cpus * 100_000));

    internal static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    internal static long? Number(string path) =>
        long.TryParse(PseudoFile.TryRead(path), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;

    /// <summary>The number after a word in a file of <c>word number</c> lines.</summary>
    internal static long? Field(string path, string word)
    {
        foreach (var line in PseudoFile.TryRead(path)?.Split('\n') ?? [])
        {
            if (line.StartsWith(word, StringComparison.Ordinal) && line.Length > word.Length && line[word.Length] == ' ')
            {
                return long.Parse(line.AsSpan(word.Length + 1), CultureInfo.InvariantCulture);
            }
        }

        return null;
    }
}
