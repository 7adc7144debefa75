using System.Text.Json;
using Vivarium.Acceptance.Harness;
using Vivarium.Linux.Processes;

namespace Vivarium.Acceptance.Warm;

/// <summary>A private daemon that keeps sandboxes ready.</summary>
public sealed class PrivateWarmDaemon : PrivateDaemon
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <inheritdoc/>
    protected override bool WithWarmPool => true;

    /// <summary>The pool as <c>viv health --json</c> shows it, also while something is not well: a daemon that has just started is not.</summary>
    internal async Task<JsonElement> PoolAsync()
    {
        using var health = JsonDocument.Parse((await Viv.TryAsync("health", "--json")).Stdout);
        return health.RootElement.GetProperty("warm_pool").Clone();
    }

    internal async Task<long> TakenAsync() => (await PoolAsync()).GetProperty("taken").GetInt64();

    /// <summary>Waits until every shape has what it wants.</summary>
    internal Task FilledAsync() => Eventually.HoldsAsync(
        async () => (await PoolAsync()).GetProperty("shapes").EnumerateArray().ToArray() is { Length: > 0 } shapes
            && Array.TrueForAll(shapes, s => s.GetProperty("ready").GetInt32() == s.GetProperty("wanted").GetInt32()),
        Patience,
        "the warm pool is filled");

    /// <summary>Says that a shape is wanted by using it once, and waits until it is ready.</summary>
    internal async Task WantAsync(params string[] flags)
    {
        await (await CreateAsync(flags)).DisposeAsync();
        await FilledAsync();
    }

    /// <summary>Runtime directories of sandboxes that no list shows.</summary>
    internal async Task<IReadOnlyList<string>> UnlistedAsync()
    {
        var listed = (await ListAsync()).Select(s => s.GetProperty("id").GetString()!).ToHashSet();
        return [.. Directory.EnumerateDirectories(Runtime).Select(d => Path.GetFileName(d)).Where(n => n.Length == 20 && !listed.Contains(n))];
    }

    internal IReadOnlyList<ProcessIdentity> SupervisorsOf(IReadOnlyList<string> ids) =>
    [
        .. Directory.EnumerateDirectories("/proc").Where(d => char.IsAsciiDigit(Path.GetFileName(d)[0])).Where(d => ids.Any(id => Command(d).EndsWith($"{Runtime}/{id}", StringComparison.Ordinal)))
            .Select(d => ProcessIdentity.Of(int.Parse(Path.GetFileName(d), null))),
    ];

    private static string Command(string proc)
    {
        try
        {
            return File.ReadAllText(proc + "/cmdline").TrimEnd('\0').Replace('\0', ' ');
        }
        catch (IOException)
        {
            return "";
        }
    }
}
