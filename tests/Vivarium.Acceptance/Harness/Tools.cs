using Vivarium.Linux.Processes;

namespace Vivarium.Acceptance.Harness;

/// <summary>The host's own programs, for preparing what a test needs.</summary>
internal static class Tools
{
    public static Task<ChildOutput> TryAsync(string file, params string[] arguments) =>
        ChildRun.RunAsync(file, arguments, new ChildRunOptions { Timeout = TimeSpan.FromMinutes(5), Env = [$"PATH={SpawnOptions.DefaultPath}", "HOME=/root", "LANG=C.UTF-8"] }, CancellationToken.None);

    public static async Task<ChildOutput> RunAsync(string file, params string[] arguments)
    {
        var output = await TryAsync(file, arguments);
        Assert.True(output.Succeeded, $"{file} {string.Join(' ', arguments)}: {output.Summary}");
        return output;
    }

    public static Task<ChildOutput> ShAsync(string script) => RunAsync("sh", "-c", script);
}
