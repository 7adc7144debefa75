namespace Vivarium.Templates.Import;

/// <summary>What an import left out or ignored, counted, for the result.</summary>
internal sealed class ImportNotes
{
    private readonly SortedDictionary<string, long> counts = new(StringComparer.Ordinal);
    private readonly List<string> sentences = [];

    internal long Devices { get; private set; }

    internal void Device()
    {
        Devices++;
        Count("device nodes (a sandbox has its own /dev)");
    }

    internal void Socket() => Count("sockets");

    internal void OtherFileSystem() => Count("directories where something is mounted: their content");

    internal void Attribute(string name) => Count($"extended attributes {ImportErrors.Quote(name)}");

    internal void Say(string sentence)
    {
        if (sentences.Count < 20)
        {
            sentences.Add(sentence);
        }
    }

    /// <summary>A sentence each.</summary>
    internal IReadOnlyList<string> Warnings() => [.. counts.Select(count => $"left out: {count.Value} {count.Key}"), .. sentences];

    private void Count(string what)
    {
        if (counts.Count < 50 || counts.ContainsKey(what))
        {
            counts[what] = counts.GetValueOrDefault(what) + 1;
        }
    }
}
