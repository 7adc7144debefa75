using Vivarium.Linux.Processes;

namespace Vivarium.Host.Tests.Support;

/// <summary>The real programs: VIV_DIST, or artifacts/dist, built by eng/build.sh when they are not there.</summary>
internal static class Programs
{
    private static readonly Lazy<Task<string>> Located = new(LocateAsync);

    /// <summary>Directory that holds viv-supervisor, viv-guest and vivd/.</summary>
    public static Task<string> DirectoryAsync() => Located.Value;

    private static async Task<string> LocateAsync()
    {
        if (Environment.GetEnvironmentVariable("VIV_DIST") is { } named)
        {
            return named;
        }

        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "Vivarium.slnx")))
        {
            root = root.Parent ?? throw new DirectoryNotFoundException("these tests do not lie in the repository");
        }

        var dist = Path.Combine(root.FullName, "artifacts", "dist");
        if (!File.Exists(Path.Combine(dist, "vivd", "vivd")))
        {
            var options = new ChildRunOptions
            {
                Cwd = root.FullName,
                Env = [.. Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>().Select(static e => $"{e.Key}={e.Value}")],
                Timeout = TimeSpan.FromMinutes(15),
            };
            var build = await ChildRun.RunAsync(Path.Combine(root.FullName, "eng", "build.sh"), [], options, CancellationToken.None);
            Assert.True(build.Succeeded, $"eng/build.sh failed: {build.Summary}");
        }

        return dist;
    }
}
