using Vivarium.Bench;
using Vivarium.Bench.Figures;
using Vivarium.Bench.Measuring;

// bench [--quick] [NAME…]: figures side by side with what a user would pick instead. See docs/benchmarks.md.
var quick = args.Contains("--quick");
var names = args.Where(a => !a.StartsWith('-')).ToArray();
if (args.Any(a => a.StartsWith('-') && a is not "--quick"))
{
    Console.Error.WriteLine("usage: bench [--quick] [NAME…]");
    return 125;
}

IReadOnlyList<Figure> all = [.. ExecFigures.All, .. CreateFigures.All, .. SnapshotFigures.All, .. DataFigures.All, .. CrowdFigures.All];
var chosen = all.Where(f => names.Length == 0 || names.Any(n => f.Name.Contains(n, StringComparison.OrdinalIgnoreCase))).ToArray();
if (chosen.Length == 0)
{
    Console.Error.WriteLine($"no figure is named so; there are: {string.Join(", ", all.Select(f => f.Name))}");
    return 125;
}

using var interrupted = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    interrupted.Cancel();
};

var report = new Report();
await using (var host = await BenchHost.StartAsync(quick))
{
    foreach (var figure in chosen)
    {
        if (interrupted.IsCancellationRequested)
        {
            break;
        }

        try
        {
            foreach (var result in await figure.Measure(host))
            {
                report.Add(result);
            }
        }
        catch (Exception e)
        {
            report.Failed(figure.Name, e);
        }
    }
}

report.Save(Path.Combine(BenchHost.Repository, "benchmarks", "results", "latest.json"), complete: names.Length == 0 && !quick);
return report.AnyFailed ? 1 : 0;
