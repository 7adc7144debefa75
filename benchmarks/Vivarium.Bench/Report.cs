using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Vivarium.Bench.Measuring;

namespace Vivarium.Bench;

/// <summary>Prints a line per figure as it comes and keeps them for the file.</summary>
internal sealed class Report
{
    private readonly List<Result> _results = [];

    public bool AnyFailed { get; private set; }

    public void Add(Result result)
    {
        _results.Add(result);
        var peer = result.Peer is { } p ? $"{result.PeerName} {Number(p)} {result.Unit}" : "-";
        var goal = result.Goal is { } g ? result.Peer is null ? $"<= {Number(g)} {result.Unit}" : $"<= {Number(g)}" : "-";
        Console.WriteLine($"{result.Name} | {Number(result.Ours)} {result.Unit} | {peer} | {(result.Ratio is { } r ? Number(r) : "-")} | {goal} | {result.Verdict}");
    }

    public void Failed(string name, Exception e)
    {
        AnyFailed = true;
        Console.WriteLine($"{name} | failed: {e.Message.ReplaceLineEndings(" ")}");
    }

    public void Save(string path, bool complete)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var file = new ResultFile(complete, Environment.ProcessorCount, File.ReadAllText("/proc/sys/kernel/osrelease").Trim(), _results);
        File.WriteAllText(path, JsonSerializer.Serialize(file, ReportJson.Default.ResultFile) + "\n");
    }

    private static string Number(double value) => value.ToString(value >= 100 ? "0" : value >= 10 ? "0.0" : "0.00", CultureInfo.InvariantCulture);
}

/// <summary>Content of <c>benchmarks/results/latest.json</c>.</summary>
internal sealed record ResultFile(bool Complete, int Cores, string Kernel, IReadOnlyList<Result> Results);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ResultFile))]
internal sealed partial class ReportJson : JsonSerializerContext;
