using System.Collections;
using Vivarium.Linux.Processes;

namespace Vivarium.Runtimes.Tests.Harness;

/// <summary>The natively compiled programs under test: VIV_DIST, or artifacts/dist, built once by eng/build.sh when they are not there.</summary>
internal static class Programs
{
    private static readonly Lazy<Task<string>> Directory = new(LocateAsync);

    public static async Task<string> GuestAsync() => Path.Combine(await Directory.Value, "viv-guest");

    public static async Task<string> SupervisorAsync() => Path.Combine(await Directory.Value, "viv-supervisor");

    private static async Task<string> LocateAsync()
    {
        var repository = FindRepository();
        var directory = Environment.GetEnvironmentVariable("VIV_DIST") ?? Path.Combine(repository, "artifacts", "dist");
        if (File.Exists(Path.Combine(directory, "viv-guest")) && File.Exists(Path.Combine(directory, "viv-supervisor")))
        {
            return directory;
        }

        Assert.True(Environment.GetEnvironmentVariable("VIV_DIST") is null, $"VIV_DIST names '{directory}', which does not hold the programs");
        var build = await ChildRun.RunAsync(
            Path.Combine(repository, "eng", "build.sh"),
            [],
            new ChildRunOptions
            {
                Cwd = repository,
                Env = [.. Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(static e => $"{e.Key}={e.Value}")],
                Timeout = TimeSpan.FromMinutes(15),
            },
            CancellationToken.None);
        Assert.True(build.Succeeded, $"eng/build.sh failed: {build.Summary}");
        return directory;
    }

    private static string FindRepository()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "Vivarium.slnx")))
        {
            directory = directory.Parent ?? throw new DirectoryNotFoundException("the repository of these tests was not found above " + AppContext.BaseDirectory);
        }

        return directory.FullName;
    }
}
