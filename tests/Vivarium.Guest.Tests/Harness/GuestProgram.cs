using Vivarium.Linux.Processes;

namespace Vivarium.Guest.Tests.Harness;

/// <summary>The real, natively compiled agent: VIV_DIST/viv-guest, or artifacts/dist/viv-guest, built once by eng/build.sh when it is not there.</summary>
internal static class GuestProgram
{
    private static readonly Lazy<Task<string>> Located = new(LocateAsync);

    /// <summary>Root of the repository.</summary>
    public static string Repository { get; } = FindRepository();

    public static Task<string> PathAsync() => Located.Value;

    private static async Task<string> LocateAsync()
    {
        var directory = Environment.GetEnvironmentVariable("VIV_DIST") ?? Path.Combine(Repository, "artifacts", "dist");
        var program = Path.Combine(directory, "viv-guest");
        if (File.Exists(program))
        {
            return program;
        }

        Assert.True(Environment.GetEnvironmentVariable("VIV_DIST") is null, $"VIV_DIST names '{directory}', which has no viv-guest");
        var options = new ChildRunOptions
        {
            Cwd = Repository,
            Env = [.. Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>().Select(static e => $"{e.Key}={e.Value}")],
            Timeout = TimeSpan.FromMinutes(15),
        };
        var build = await ChildRun.RunAsync(Path.Combine(Repository, "eng", "build.sh"), [], options, CancellationToken.None);
        Assert.True(build.Succeeded, $"eng/build.sh failed: {build.Summary}");
        return program;
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
