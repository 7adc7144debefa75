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
    private static int numbers;

    private readonly string word = $"{Environment.GetEnvironmentVariable("VIVARIUM_TEST_RUN") ?? $"vt{Environment.ProcessId}"}-{Interlocked.Increment(ref count)}";

    /// <summary>Everything of this daemon lives below it; short, because socket paths are limited.</summary>
    internal string Home { get; private set; } = "";

    internal string State => Path.Combine(Home, "state");

    internal string Runtime => Path.Combine(Home, "run");

    internal string ConfigFile => Path.Combine(Home, "config.toml");

    /// <summary>Cgroup below each controller's root.</summary>
    internal string CgroupRoot => "/" + word;

    /// <summary>Bridge and table of this daemon, and its share of the address space: unlike those of any other that runs now.</summary>
    internal string Bridge => "v" + (Number % 1_048_576).ToString("x5", CultureInfo.InvariantCulture);

    internal string NetworkTable => "vt" + Number.ToString("x", CultureInfo.InvariantCulture);

    internal int Number { get; } = (Environment.ProcessId * 64) + (Interlocked.Increment(ref numbers) % 64);

    internal string Pool4 => $"10.{128 + (Number / 256 % 64)}.{Number % 256}.0/24";

    internal string Pool6 => $"fd76:{Number % 65536:x}::/64";

    /// <summary>Further keys of the section <c>[network]</c>.</summary>
    protected virtual string NetworkText => "";

    internal string Socket => Path.Combine(Runtime, "vivd.sock");

    internal Viv Viv { get; private set; } = null!;

    /// <summary>Whether the base template is built before the first test.</summary>
    protected virtual bool WithBase => false;

    /// <summary>Whether ready sandboxes are kept; most tests count processes and cgroups, and leave it off.</summary>
    protected virtual bool WithWarmPool => false;

    /// <inheritdoc/>
    public virtual async ValueTask InitializeAsync()
    {
        Home = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), word)).FullName;
        File.WriteAllText(ConfigFile, ConfigText());
        Viv = new Viv(BaseEnvironment());
        await StartAsync();
        if (WithBase)
        {
            // From the machine's cache, or from the package mirror when this machine builds it for the first time.
            (await Viv.TryAsync(new VivCall { Arguments = ["template", "build", "base"], Timeout = TimeSpan.FromMinutes(10) })).MustSucceed();
        }
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

        [network]
        bridge = "{Bridge}"
        table = "{NetworkTable}"
        pool4 = "{Pool4}"
        pool6 = "{Pool6}"
        {NetworkText}

        [templates]
        cache = "{Checkout.Cache}/templates"

        [warm_pool]
        enabled = {(WithWarmPool ? "true" : "false")}
        """;

    internal Dictionary<string, string> BaseEnvironment() => new()
    {
        ["PATH"] = SpawnOptions.DefaultPath,
        ["HOME"] = Home,
        ["LANG"] = "C.UTF-8",
        ["VIVARIUM_CONFIG"] = ConfigFile,
    };

    /// <summary>Starts the daemon and waits until it answers.</summary>
    internal async Task<VivResult> StartAsync() => (await Viv.TryAsync(new VivCall { Arguments = ["daemon", "start"], NetworkNamespace = NetworkNamespace })).MustSucceed();

    /// <summary>File of the network namespace the daemon is started in; null: the machine's. A command that finds no daemon would start one in the machine's.</summary>
    protected virtual string? NetworkNamespace => null;

    /// <summary>The daemon's pid as it says itself.</summary>
    internal async Task<int> PidAsync() =>
        (await Viv.JsonAsync("daemon", "status")).GetProperty("version").GetProperty("pid").GetInt32();

    /// <summary>Ends the daemon with SIGKILL and waits until it is gone.</summary>
    internal async Task KillAsync()
    {
        var daemon = ProcessIdentity.Of(await PidAsync());
        daemon.Signal(Signals.SIGKILL);
        // Its main thread can be a zombie while others still hold the socket open.
        await Eventually.HoldsAsync(() => !daemon.IsAlive() && Threads(daemon.Pid) <= 1, TimeSpan.FromSeconds(5), "the daemon is gone");
    }

    private static int Threads(int pid)
    {
        try
        {
            return Directory.GetDirectories($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/task").Length;
        }
        catch (IOException)
        {
            return 0;
        }
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
        if (Home.Length == 0)
        {
            return; // never made
        }

        var leftovers = new List<string>();
        try
        {
            foreach (var sandbox in await ListAsync())
            {
                leftovers.Add($"sandbox {sandbox.GetProperty("name").GetString()} {sandbox.GetProperty("state").GetString()}");
                await Viv.TryAsync("rm", "-f", sandbox.GetProperty("id").GetString()!);
            }

            var stopped = await Viv.TryAsync("daemon", "stop");
            if (!await Eventually.TryAsync(() => Footprint.Of(this).Processes.Count == 0, TimeSpan.FromSeconds(10)))
            {
                leftovers.Add(stopped.ToString());
                leftovers.AddRange(Footprint.Of(this).Processes);
            }

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

/// <summary>A private daemon that has the base template.</summary>
public class PrivateBaseDaemon : PrivateDaemon
{
    /// <inheritdoc/>
    protected override bool WithBase => true;
}
