using System.Text.Json.Nodes;
using Vivarium.Linux.Processes;

namespace Vivarium.Bench.Peers;

/// <summary>A container run by an engine as its own users run it: <c>spec</c>, then <c>run</c> or <c>exec</c>.</summary>
internal sealed class OciPeer(string engine, string directory, string root, IReadOnlyList<string> flags)
{
    private int _next;

    /// <summary>Writes a bundle whose process is <paramref name="argv"/> on the root file system <c>root</c>.</summary>
    public async Task<string> BundleAsync(string name, params string[] argv)
    {
        var bundle = Path.Combine(directory, name);
        Directory.CreateDirectory(bundle);
        await RunAsync("runc", "spec", "--bundle", bundle);
        var path = Path.Combine(bundle, "config.json");
        var config = JsonNode.Parse(await File.ReadAllTextAsync(path))!;
        config["process"]!["terminal"] = false;
        config["process"]!["args"] = new JsonArray([.. argv.Select(a => (JsonNode)a)]);
        config["root"] = new JsonObject { ["path"] = root, ["readonly"] = false };
        await File.WriteAllTextAsync(path, config.ToJsonString());
        return bundle;
    }

    /// <summary>Runs a container to its end, as <c>runc run</c> does.</summary>
    public Task RunOnceAsync(string bundle) => EngineAsync("run", "--bundle", bundle, NextId());

    /// <summary>Starts a container in the background and returns its id.</summary>
    public async Task<string> StartAsync(string bundle)
    {
        var id = NextId();
        await EngineAsync("run", "--detach", "--bundle", bundle, id);
        return id;
    }

    /// <summary>Runs a command in a container.</summary>
    public Task ExecAsync(string id, params string[] argv) => EngineAsync(["exec", id, .. argv]);

    /// <summary>Lists containers.</summary>
    public Task ListAsync() => EngineAsync("list");

    /// <summary>Ends a container.</summary>
    public Task RemoveAsync(string id) => EngineAsync("delete", "--force", id);

    private string NextId() => $"bench-{Environment.ProcessId}-{Interlocked.Increment(ref _next)}";

    private Task EngineAsync(params string[] args) => RunAsync(engine, ["--root", Path.Combine(directory, "state"), .. flags, .. args]);

    private static async Task RunAsync(string program, params string[] args)
    {
        // No pipes: a detached container would keep them open, and a user's shell gives it a terminal or a file as well.
        var child = ChildProcess.Start(new SpawnOptions { FileName = program, Argv = [program, .. args], Env = [$"PATH={SpawnOptions.DefaultPath}"], NewSession = true });
        ChildExit exit;
        try
        {
            exit = await child.Exited.WaitAsync(TimeSpan.FromMinutes(1));
        }
        catch (TimeoutException)
        {
            child.SignalGroup(Signals.SIGKILL);
            throw;
        }

        if (exit.Code != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', args)} ended with {exit.Code}/{exit.Signal}");
        }
    }
}
