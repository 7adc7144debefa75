using System.Globalization;
using System.Text.Json;

namespace Vivarium.Acceptance.Harness;

/// <summary>A sandbox made for one test.</summary>
internal sealed class TestSandbox(PrivateDaemon daemon, string id, string name) : IAsyncDisposable
{
    public string Id => id;

    public string Name => name;

    public Viv Viv => daemon.Viv;

    /// <summary>Runs a shell line in it and expects success.</summary>
    public Task<VivResult> ShAsync(string script) => Viv.RunAsync("exec", id, "--", "sh", "-c", script);

    /// <summary>Runs a command in it.</summary>
    public Task<VivResult> TryExecAsync(params string[] command) => Viv.TryAsync(["exec", id, "--", .. command]);

    public Task<JsonElement> ShowAsync() => Viv.JsonAsync("show", id);

    public async Task<string> StateAsync() => (await ShowAsync()).GetProperty("state").GetString()!;

    public async Task<int> SupervisorPidAsync() => (await ShowAsync()).GetProperty("supervisor_pid").GetInt32();

    public async ValueTask DisposeAsync() => await Viv.TryAsync("rm", "-f", id);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{name} ({id})");
}
