using System.Text.Json;
using Vivarium.Linux.Files;

namespace Vivarium.Templates.Store;

/// <summary>
/// Records and names on disk: <c>&lt;digest&gt;.json</c> each, <c>names.json</c> (name → digest). A file that cannot be read is set aside as
/// <c>….damaged</c> and costs only the template it stands for; lost names come back from the records.
/// </summary>
internal sealed class TemplateRecords
{
    private const string DamagedSuffix = ".damaged";
    private const int MaximumBytes = 1024 * 1024;

    private readonly string directory;
    private readonly Lock gate = new();
    private readonly Dictionary<string, TemplateRecord> records = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, string> names;

    internal TemplateRecords(string directory)
    {
        this.directory = directory;
        Directory.CreateDirectory(directory);
        foreach (var path in Directory.EnumerateFiles(directory, "*.json").Where(path => path != NamesPath).ToList())
        {
            if (Read(path, TemplateJson.Default.TemplateRecord) is { } record && Valid(record, path))
            {
                records[record.Digest] = record;
            }
        }

        IDictionary<string, string>? known = File.Exists(NamesPath) ? Read(NamesPath, TemplateJson.Default.SortedDictionaryStringString) : null;
        names = new SortedDictionary<string, string>(known ?? FromRecords(), StringComparer.Ordinal);
    }

    /// <summary>Sentences about what was set aside.</summary>
    internal List<string> Damaged { get; } = [];

    private string NamesPath => Path.Combine(directory, "names.json");

    internal IReadOnlyList<TemplateRecord> All()
    {
        lock (gate)
        {
            return [.. records.Values.OrderBy(record => record.CreatedUnixMs)];
        }
    }

    internal TemplateRecord? ByDigest(string digest)
    {
        lock (gate)
        {
            return records.GetValueOrDefault(digest);
        }
    }

    internal TemplateRecord? ByName(string name)
    {
        lock (gate)
        {
            return names.TryGetValue(name, out var digest) ? records.GetValueOrDefault(digest) : null;
        }
    }

    internal IReadOnlyList<string> NamesOf(string digest)
    {
        lock (gate)
        {
            return [.. names.Where(name => name.Value == digest).Select(name => name.Key)];
        }
    }

    /// <summary>Stores a record, then points the name at it.</summary>
    internal void Put(TemplateRecord record, string name)
    {
        lock (gate)
        {
            AtomicFile.Write(PathOf(record), JsonSerializer.SerializeToUtf8Bytes(record, TemplateJson.Default.TemplateRecord));
            records[record.Digest] = record;
            names[name] = record.Digest;
            WriteNames();
        }
    }

    /// <summary>Takes one name away; the record stays.</summary>
    internal void RemoveName(string name)
    {
        lock (gate)
        {
            names.Remove(name);
            WriteNames();
        }
    }

    /// <summary>Removes the names, then the record.</summary>
    internal void Remove(TemplateRecord record)
    {
        lock (gate)
        {
            foreach (var name in names.Where(name => name.Value == record.Digest).Select(name => name.Key).ToList())
            {
                names.Remove(name);
            }

            WriteNames();
            File.Delete(PathOf(record));
            records.Remove(record.Digest);
        }
    }

    private string PathOf(TemplateRecord record) => Path.Combine(directory, record.VolumeKey + ".json");

    private void WriteNames() =>
        AtomicFile.Write(NamesPath, JsonSerializer.SerializeToUtf8Bytes(names, TemplateJson.Default.SortedDictionaryStringString));

    private bool Valid(TemplateRecord record, string path)
    {
        if (TemplateReference.IsDigest(record.Digest) && PathOf(record) == path)
        {
            return true;
        }

        SetAside(path, "it does not describe the template its name says");
        return false;
    }

    private T? Read<T>(string path, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            if (new FileInfo(path).Length <= MaximumBytes && JsonSerializer.Deserialize(File.ReadAllBytes(path), type) is { } value)
            {
                return value;
            }

            SetAside(path, "it is not a template record");
        }
        catch (JsonException e)
        {
            SetAside(path, e.Message);
        }

        return null;
    }

    private void SetAside(string path, string why)
    {
        File.Move(path, path + DamagedSuffix, overwrite: true);
        Damaged.Add($"the file '{path}' was damaged ({why}) and set aside as '{path}{DamagedSuffix}'");
    }

    private Dictionary<string, string> FromRecords()
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var record in records.Values.OrderBy(record => record.CreatedUnixMs))
        {
            found[record.BuiltAs] = record.Digest;
        }

        return found;
    }
}
