namespace Vivarium.Bench.Measuring;

/// <summary>One line of the benchmark: what it measures and how.</summary>
/// <param name="Name">Stable name, also the filter on the command line.</param>
/// <param name="Measure">Runs it; more than one result where one set-up gives several figures.</param>
internal sealed record Figure(string Name, Func<BenchHost, Task<IReadOnlyList<Result>>> Measure);

/// <summary>A measured figure beside its peer and its goal.</summary>
/// <param name="Name">Stable name.</param>
/// <param name="Unit">Unit of <paramref name="Ours"/> and <paramref name="Peer"/>: <c>ms</c>, <c>MiB</c>, <c>%</c>.</param>
/// <param name="Ours">Our median.</param>
/// <param name="PeerName">What it is compared with; null where the goal is absolute.</param>
/// <param name="Peer">The peer's median in the same minute.</param>
/// <param name="Goal">Largest good ratio, or largest good value of <paramref name="Ours"/> where there is no peer; null for information only.</param>
/// <param name="Samples">Measurements behind <paramref name="Ours"/>.</param>
internal sealed record Result(string Name, string Unit, double Ours, string? PeerName, double? Peer, double? Goal, int Samples)
{
    /// <summary>Ours divided by the peer's.</summary>
    public double? Ratio => Peer is > 0 ? Ours / Peer : null;

    /// <summary><c>ok</c>, <c>short</c>, or <c>-</c> where there is no goal.</summary>
    public string Verdict => Goal is not { } goal ? "-" : (Ratio ?? Ours) <= goal ? "ok" : "short";
}
