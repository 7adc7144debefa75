using Vivarium.Linux.Processes;

namespace Vivarium.Runtimes.Tests.Escape;

/// <summary>Small static C programs of these tests, compiled once a run: they work in a root with nothing but busybox in it.</summary>
internal static class CProgram
{
    private static readonly Dictionary<string, Task<string>> Compiled = [];

    /// <summary>Path of the compiled program.</summary>
    public static Task<string> CompileAsync(string source)
    {
        lock (Compiled)
        {
            return Compiled.TryGetValue(source, out var done) ? done : Compiled[source] = RunAsync(source);
        }
    }

    private static async Task<string> RunAsync(string source)
    {
        var from = Path.Combine(AppContext.BaseDirectory, "Escape", source);
        var to = Path.Combine(AppContext.BaseDirectory, "Escape", $"{Path.GetFileNameWithoutExtension(source)}-{Environment.ProcessId}");
        var gcc = await ChildRun.RunAsync("gcc", ["-O1", "-static", "-o", to, from], new ChildRunOptions { Timeout = TimeSpan.FromMinutes(2) }, CancellationToken.None);
        Assert.True(gcc.Succeeded, $"gcc {source}: {gcc.Summary}");
        AppDomain.CurrentDomain.ProcessExit += (_, _) => File.Delete(to);
        return to;
    }
}
