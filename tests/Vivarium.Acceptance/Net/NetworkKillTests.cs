using System.Globalization;
using Vivarium.Acceptance.Harness;
using Vivarium.Linux.Processes;
using Vivarium.Transport.Host;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Acceptance.Net;

/// <summary>
/// SIGKILL of the daemon, in half of the rounds with its supervisors, at random points of creates and destroys of sandboxes with a network: the next daemon holds exactly what its
/// sandboxes need, no interface, neighbour, rule or set element more. <c>VIVARIUM_KILL_ROUNDS</c> makes it longer, <c>VIVARIUM_KILL_SEED</c> repeats it as far as timing can be repeated.
/// </summary>
public sealed class NetworkKillTests(HostedDaemon daemon) : HostedNetTest(daemon), IClassFixture<HostedDaemon>
{
    private static readonly CancellationToken None = CancellationToken.None;
    private int names;

    [Fact]
    public async Task Killed_at_random_points_the_host_holds_what_its_sandboxes_need_and_no_more()
    {
        var seed = Number("VIVARIUM_KILL_SEED", Random.Shared.Next());
        var random = new Random(seed);
        TestContext.Current.TestOutputHelper!.WriteLine($"seed {seed}");
        var empty = "";
        await using (await Daemon.CreateAsync("--net", "nat"))
        {
            // Bridge and tables are made with the first.
        }

        await Eventually.HoldsAsync(
            async () => !(empty = await Net.HoldsAsync()).Split('\n').Any(line => line.StartsWith(Net.Bridge + "-", StringComparison.Ordinal) || line.Contains("PERMANENT", StringComparison.Ordinal)),
            TimeSpan.FromSeconds(10),
            "its port and its neighbours are gone");
        for (var round = 0; round < Number("VIVARIUM_KILL_ROUNDS", 6); round++)
        {
            using var over = new CancellationTokenSource();
            var work = Enumerable.Range(0, 3).Select(_ => WorkAsync(new Random(random.Next()), over.Token)).ToList();
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(20, 500)), TimeProvider.System);
            await over.CancelAsync();
            // A sandbox that is being made has none yet; 0 would be this process and its whole group.
            var supervisors = round % 2 == 0 ? [] : (await Daemon.ListAsync()).Where(static s => s.TryGetProperty("supervisor_pid", out _)).Select(static s => s.GetProperty("supervisor_pid").GetInt32()).Where(static pid => pid > 1).ToList();
            await Daemon.KillAsync();
            supervisors.ForEach(static pid => Signals.Send(pid, Signals.SIGKILL));
            await Task.WhenAll(work);
            await Daemon.StartAsync();
            await CheckAsync();
        }

        await using var client = await HostClient.ConnectAsync(Daemon.Socket);
        foreach (var sandbox in (await client.ListAsync(new ListParams(), None)).Sandboxes)
        {
            await client.DestroyAsync(new DestroyParams { Ref = sandbox.Id, Force = true, Now = true }, None);
        }

        await Eventually.HoldsAsync(async () => await Net.HoldsAsync() == empty, TimeSpan.FromSeconds(20), "nothing is left but what the first left: bridge and empty tables");
    }

    private async Task WorkAsync(Random choice, CancellationToken over)
    {
        try
        {
            await using var client = await HostClient.ConnectAsync(Daemon.Socket, cancellationToken: None);
            var mine = new Queue<string>();
            while (!over.IsCancellationRequested)
            {
                if (mine.Count > 0 && choice.Next(2) == 0)
                {
                    await client.DestroyAsync(new DestroyParams { Ref = mine.Dequeue(), Force = true, Now = choice.Next(2) == 0 }, None);
                    continue;
                }

                // Half of them with a policy of their own, which has chains of its own.
                var policy = choice.Next(2) == 0 ? null : new NetworkPolicySpec { Deny = ["192.0.2.0/24"], BandwidthBytes = 1 << 24 };
                mine.Enqueue((await client.CreateAsync(new CreateParams { Name = $"k{Interlocked.Increment(ref names)}", Network = "nat", Policy = policy }, None)).Id);
            }
        }
        catch (VivariumException)
        {
            // The daemon has died under it.
        }
    }

    private async Task CheckAsync()
    {
        await using var client = await HostClient.ConnectAsync(Daemon.Socket);
        await Eventually.HoldsAsync(
            async () => (await client.HealthAsync(None)).Conditions.All(static c => c.Name is not "recovery" and not "network"), TimeSpan.FromSeconds(30), "the daemon has settled what it found");
        var said = "";
        var holds = await Eventually.TryAsync(async () => (said = await DifferenceAsync(client)).Length == 0, TimeSpan.FromSeconds(30));
        Assert.True(holds, said);
    }

    /// <summary>What the host holds that no sandbox needs, and what it lacks.</summary>
    private async Task<string> DifferenceAsync(HostClient client)
    {
        var sandboxes = (await client.ListAsync(new ListParams(), None)).Sandboxes;
        var holds = await Net.HoldsAsync();
        var wrong = new List<string>();
        var addresses = sandboxes.SelectMany(static s => s.Addresses ?? []).ToHashSet(StringComparer.Ordinal);
        foreach (var word in holds.Split((char[])[' ', '\n', '\t', ',', '"'], StringSplitOptions.RemoveEmptyEntries))
        {
            if (System.Net.IPAddress.TryParse(word, out _) && (word.StartsWith(Net.Pool4[..^4], StringComparison.Ordinal) || word.StartsWith(Net.Pool6[..^3], StringComparison.Ordinal))
                && word != Net.Gateway && word != Net.Gateway6 && word != Net.Pool6[..^3] && word != Net.Pool4[..^3] && !addresses.Contains(word))
            {
                wrong.Add($"address {word} is nobody's");
            }

            if (word.StartsWith(Net.Bridge + "-", StringComparison.Ordinal) && !sandboxes.Any(s => s.Id.StartsWith(word[(Net.Bridge.Length + 1)..].TrimEnd('*'), StringComparison.Ordinal)) && !word.EndsWith("-*", StringComparison.Ordinal))
            {
                wrong.Add($"port {word} is nobody's");
            }

            if ((word.StartsWith("s_", StringComparison.Ordinal) || word.StartsWith("up_", StringComparison.Ordinal) || word.StartsWith("down_", StringComparison.Ordinal)) && !sandboxes.Any(s => word.EndsWith(s.Id, StringComparison.Ordinal)))
            {
                wrong.Add($"chain {word} is nobody's");
            }
        }

        foreach (var sandbox in sandboxes.Where(s => s.State == SandboxState.Running))
        {
            wrong.AddRange((sandbox.Addresses ?? []).Where(a => !holds.Contains($"{a} : jump", StringComparison.Ordinal)).Select(a => $"{sandbox.Name} has no rules for {a}"));
        }

        return string.Join('\n', wrong.Distinct());
    }

    private static int Number(string variable, int otherwise) => int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var value) ? value : otherwise;
}
