using System.Globalization;
using System.Text.Json;
using Vivarium.Linux.Processes;

namespace Vivarium.Acceptance.Harness;

/// <summary>
/// A daemon of its own: state, runtime directory, cgroups and a small pool that nobody else uses, all named in one configuration file.
/// Disposing takes everything away and fails when something is left behind.
/// </summary>
public class PrivateDaemon : IAsyncLifetime
{
    private static int count;

    private readonly string word = $"{Environment.GetEnvironmentVariable("VIVARIUM_TEST_RUN") ?? $"vt{Environment.ProcessId}"}-{Interlocked.Increment(ref count)}";

    /// <summary>Everything of this daemon lives below it; short, because socket paths are limited.</summary>
    internal string Home { get; private set; } = "";

    internal string State => Path.Combine(Home, "state");

    internal string Runtime => Path.Combine(Home, "run");

    internal string ConfigFile => Path.Combine(Home, "config.toml");

    /// <summary>Cgroup below each controller's root.</summary>
    internal string CgroupRoot => "/" + word;

    internal string Socket => Path.Combine(Runtime, "vivd.sock");

    internal Viv Viv { get; private set; } = null!;

    /// <summary>Whether the state starts as a copy of the machine's cached one, which has the base template.</summary>
    protected virtual bool WithBase => false;

    /// <summary>Lines put into the configuration file behind the standard ones.</summary>
    protected virtual string ExtraConfig => "";

    /// <inheritdoc/>
    public virtual async ValueTask InitializeAsync()
    {
        Home = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), word)).FullName;
        if (WithBase)
        {
            await GoldenState.CopyToAsync(State);
        }

        File.WriteAllText(ConfigFile, ConfigText());
        Viv = new Viv(BaseEnvironment());
        await StartAsync();
    }

    internal string ConfigText() => $"""
        [paths]
        state = "{State}"
        runtime = "{Runtime}"

        [runtime]
        cgroup_root = "{CgroupRoot}"

        [pool]
        size = "8GiB"

        [defaults]
        template = "{(WithBase ? "base" : "tiny")}"
        memory = "256MiB"
        {ExtraConfig}
        """;

    internal Dictionary<string, string> BaseEnvironment() => new()
    {
        ["PATH"] = SpawnOptions.DefaultPath,
        ["HOME"] = Home,
        ["LANG"] = "C.UTF-8",
        ["VIVARIUM_CONFIG"] = ConfigFile,
    };

    /// <summary>Starts the daemon and waits until it answers.</summary>
    internal Task<VivResult> StartAsync() => Viv.RunAsync("daemon", "start");

    /// <summary>The daemon's pid as it says itself.</summary>
    internal async Task<int> PidAsync() =>
        (await Viv.JsonAsync("daemon", "status")).GetProperty("version").GetProperty("pid").GetInt32();

    /// <summary>Ends the daemon with SIGKILL and waits until it is gone.</summary>
    internal async Task KillAsync()
    {
        var daemon = ProcessIdentity.Of(await PidAsync());
        daemon.Signal(Signals.SIGKILL);
        await Eventually.HoldsAsync(() => !daemon.IsAlive(), TimeSpan.FromSeconds(5), "the daemon is gone");
    }

    /// <summary>A sandbox for one test; removed when the test is over.</summary>
    internal async Task<TestSandbox> CreateAsync(params string[] flags)
    {
        var info = await Viv.JsonAsync(["create", .. flags]);
        return new TestSandbox(this, info.GetProperty("id").GetString()!, info.GetProperty("name").GetString()!);
    }

    internal async Task<IReadOnlyList<JsonElement>> ListAsync()
    {
        var list = await Viv.JsonAsync("ls");
        return [.. (list.ValueKind == JsonValueKind.Array ? list : list.GetProperty("sandboxes")).EnumerateArray()];
    }

    /// <inheritdoc/>
    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        var leftovers = new List<string>();
        try
        {
            foreach (var sandbox in await ListAsync())
            {
                leftovers.Add($"sandbox {sandbox.GetProperty("name").GetString()} {sandbox.GetProperty("state").GetString()}");
                await Viv.TryAsync("rm", "-f", sandbox.GetProperty("id").GetString()!);
            }

            await Viv.TryAsync("daemon", "stop");
            await Eventually.TryAsync(() => Footprint.Of(this).Processes.Count == 0, TimeSpan.FromSeconds(10));
            leftovers.AddRange(Footprint.Of(this).Processes);
        }
        finally
        {
            await Footprint.EraseAsync(this);
        }

        Assert.True(leftovers.Count == 0, "left behind:\n" + string.Join('\n', leftovers));
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"daemon {word}");
}

/// <summary>A private daemon whose state has the base template.</summary>
public class PrivateBaseDaemon : PrivateDaemon
{
    /// <inheritdoc/>
    protected override bool WithBase => true;

    /// <inheritdoc/>
    protected override string ExtraConfig => "";
}
