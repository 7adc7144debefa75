using System.Globalization;
using Vivarium.Acceptance.Harness;
using Vivarium.Linux.Processes;

namespace Vivarium.Acceptance.Net;

/// <summary>Runs <c>net-probe.c</c>, compiled once a run: in sandboxes, where <see cref="GiveAsync"/> puts it, and in network namespaces.</summary>
internal static class NetProbe
{
    private const string Inside = "/bin/net-probe";
    private static readonly Lazy<Task<string>> Compiled = new(CompileAsync);

    public static async Task GiveAsync(TestSandbox box) => await box.Viv.RunAsync("cp", await Compiled.Value, $"{box.Id}:{Inside}");

    /// <summary>Runs it in a sandbox; its output.</summary>
    public static async Task<string> InAsync(TestSandbox box, IEnumerable<string> input, params string[] arguments) =>
        (await box.Viv.TryAsync(new VivCall { Arguments = ["exec", box.Id, "--", Inside, .. arguments], Input = VivCall.Text(string.Join('\n', input) + "\n") })).MustSucceed().Stdout;

    /// <summary>Runs it in a network namespace, as the host's root; its output.</summary>
    public static async Task<string> AtAsync(string path, IEnumerable<string> input, params string[] arguments)
    {
        var run = await ChildRun.RunAsync(
            "nsenter", [$"--net={path}", await Compiled.Value, .. arguments], new ChildRunOptions { Input = VivCall.Text(string.Join('\n', input) + "\n"), Timeout = TimeSpan.FromMinutes(1) }, TestContext.Current.CancellationToken);
        Assert.True(run.Succeeded, run.Summary);
        return run.StdoutText;
    }

    /// <summary>Reads <c>TARGET name=N …</c> lines: the number of that name by target.</summary>
    public static Dictionary<string, long> Numbers(string output, string name) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries).ToDictionary(
        static line => string.Join(' ', line.Split(' ')[..3]),
        line => long.Parse(line.Split(' ').First(word => word.StartsWith(name + "=", StringComparison.Ordinal))[(name.Length + 1)..], CultureInfo.InvariantCulture));

    private static async Task<string> CompileAsync()
    {
        var to = Path.Combine(AppContext.BaseDirectory, "Net", $"net-probe-{Environment.ProcessId}");
        await Tools.RunAsync("gcc", "-O1", "-static", "-o", to, Path.Combine(AppContext.BaseDirectory, "Net", "net-probe.c"));
        AppDomain.CurrentDomain.ProcessExit += (_, _) => File.Delete(to);
        return to;
    }
}
