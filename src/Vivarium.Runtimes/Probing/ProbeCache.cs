using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vivarium.Runtimes.Probing;

/// <summary>
/// Remembers trials that worked, keyed by everything that could change the outcome: the program and the agent (path, size, time), the kernel and the
/// cgroup layout. What failed is tried again every time: the administrator may have mended it. A damaged cache is an empty one.
/// </summary>
internal sealed class ProbeCache
{
    private readonly string file;
    private readonly Dictionary<string, ProbeCacheEntry> entries;

    private ProbeCache(string file, Dictionary<string, ProbeCacheEntry> entries)
    {
        this.file = file;
        this.entries = entries;
    }

    public static ProbeCache Open(string file)
    {
        try
        {
            return new ProbeCache(file, file.Length > 0 && File.Exists(file) ? JsonSerializer.Deserialize(File.ReadAllBytes(file), ProbeJson.Default.DictionaryStringProbeCacheEntry) ?? [] : []);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return new ProbeCache(file, []);
        }
    }

    /// <summary>The key of a trial here and now.</summary>
    public static string Key(string engine, string path, string agent) =>
        string.Join('|', engine, Stamp(path), Stamp(agent), File.ReadAllText("/proc/sys/kernel/osrelease").Trim(), Cgroups.CgroupHierarchies.Current.Layout);

    public ProbeCacheEntry? Find(string key) => entries.GetValueOrDefault(key);

    /// <summary>Keeps exactly these; written atomically, and not at all when that fails.</summary>
    public void Save(IReadOnlyDictionary<string, ProbeCacheEntry> working)
    {
        if (file.Length == 0)
        {
            return;
        }

        try
        {
            using (var stream = new FileStream(file + ".new", FileMode.Create, FileAccess.Write))
            {
                JsonSerializer.Serialize(stream, new Dictionary<string, ProbeCacheEntry>(working), ProbeJson.Default.DictionaryStringProbeCacheEntry);
            }

            File.Move(file + ".new", file, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Only the next start is slower.
        }
    }

    private static string Stamp(string path)
    {
        var info = new FileInfo(path);
        return $"{path}:{info.Length}:{info.LastWriteTimeUtc.Ticks}";
    }
}

/// <summary>What a trial that worked showed.</summary>
internal sealed record ProbeCacheEntry(string? Version, string Detail, Dictionary<string, string>? Options, bool UserNamespaces);

[JsonSerializable(typeof(Dictionary<string, ProbeCacheEntry>))]
internal sealed partial class ProbeJson : JsonSerializerContext;
