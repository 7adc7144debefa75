using System.Security.Cryptography;
using Vivarium.Host.Tests.Support;
using Vivarium.Linux.Processes;

namespace Vivarium.Host.Tests.Sessions;

/// <summary>The service driven by the Connect project's own client for Node.js, with a description of the service written by hand.</summary>
[Collection(SessionTests.Name)]
public sealed class ConnectNodeTests(SessionDaemon shared) : IAsyncLifetime
{
    private static readonly string[] Unreachable = ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH", "ECONNRESET"];

    private static string Source => Path.Combine(Repository.Root, "tests", "Vivarium.Host.Tests", "Sessions", "connect-node");

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await shared.Daemon.DestroyAllAsync();

    [Fact]
    public async Task Connect_node_calls_streams_is_refused_and_gives_up()
    {
        var packages = await PackagesAsync();
        foreach (var file in new[] { "service.mjs", "checks.mjs" })
        {
            File.Copy(Path.Combine(Source, file), Path.Combine(packages, file), overwrite: true);
        }

        var run = await RunAsync("node", packages, TimeSpan.FromMinutes(2), "checks.mjs", shared.Address, SessionDaemon.Token);
        Assert.True(run.Succeeded, $"{run.Summary}\n{run.StdoutText}\n{run.StderrText}");
        Assert.Equal(["ok unary", "ok streaming", "ok turns", "ok processes", "ok errors", "ok deadlines", "ok leaving", "ok end"], run.StdoutText.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Empty(await shared.Daemon.ListAsync());
    }

    /// <summary>A directory with the pinned packages, kept between runs in the cache of the tests.</summary>
    private static async Task<string> PackagesAsync()
    {
        var cache = Environment.GetEnvironmentVariable("VIVARIUM_TEST_CACHE") ?? "/var/cache/vivarium-tests";
        var pinned = await File.ReadAllBytesAsync(Path.Combine(Source, "package-lock.json"));
        var home = Path.Combine(cache, "connect-node-" + Convert.ToHexStringLower(SHA256.HashData(pinned))[..12]);
        if (Directory.Exists(home))
        {
            return home;
        }

        var fresh = Directory.CreateDirectory($"{home}.{Environment.ProcessId}").FullName;
        foreach (var file in new[] { "package.json", "package-lock.json" })
        {
            File.Copy(Path.Combine(Source, file), Path.Combine(fresh, file), overwrite: true);
        }

        var install = await RunAsync("npm", fresh, TimeSpan.FromMinutes(3), "ci", "--ignore-scripts", "--no-audit", "--no-fund");
        if (!install.Succeeded)
        {
            Directory.Delete(fresh, recursive: true);
            Assert.SkipWhen(Unreachable.Any(word => install.StderrText.Contains(word, StringComparison.Ordinal)), "the npm registry cannot be reached, and its packages are not in the cache of the tests");
            Assert.Fail($"npm ci: {install.Summary}\n{install.StderrText}");
        }

        try
        {
            Directory.Move(fresh, home);
        }
        catch (IOException) when (Directory.Exists(home))
        {
            // Another run was first.
            Directory.Delete(fresh, recursive: true);
        }

        return home;
    }

    private static Task<ChildOutput> RunAsync(string program, string directory, TimeSpan timeout, params string[] arguments) => ChildRun.RunAsync(
        program,
        arguments,
        new ChildRunOptions
        {
            Cwd = directory,
            Timeout = timeout,
            Env = [.. Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>().Select(static e => $"{e.Key}={e.Value}")],
        },
        TestContext.Current.CancellationToken);
}
