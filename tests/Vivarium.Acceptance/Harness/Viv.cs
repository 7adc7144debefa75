using System.Text;
using System.Text.Json;
using Vivarium.Linux.Processes;

namespace Vivarium.Acceptance.Harness;

/// <summary>The native viv, run as a user runs it: arguments and standard input in, exit code and output out. Every call has a deadline.</summary>
internal sealed class Viv(IReadOnlyDictionary<string, string> environment)
{
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Environment of the call, <c>NAME=value</c>.</summary>
    public IReadOnlyList<string> Environment { get; } = [.. environment.Select(pair => $"{pair.Key}={pair.Value}")];

    /// <summary>Runs viv; the result says everything, also when it failed.</summary>
    public Task<VivResult> TryAsync(params string[] arguments) => TryAsync(new VivCall { Arguments = arguments });

    /// <summary>Runs viv and expects exit code 0.</summary>
    public async Task<VivResult> RunAsync(params string[] arguments) => (await TryAsync(arguments)).MustSucceed();

    /// <summary>Runs viv with all settings.</summary>
    public async Task<VivResult> TryAsync(VivCall call)
    {
        var began = TimeProvider.System.GetTimestamp();
        var output = await ChildRun.RunAsync(
            call.NetworkNamespace is null ? Checkout.Viv : "nsenter",
            call.NetworkNamespace is null ? call.Arguments : [$"--net={call.NetworkNamespace}", Checkout.Viv, .. call.Arguments],
            new ChildRunOptions
            {
                Env = [.. Environment, .. call.Env.Select(pair => $"{pair.Key}={pair.Value}")],
                Cwd = call.Cwd,
                Input = call.Input,
                Timeout = call.Timeout ?? DefaultTimeout,
                MaxOutputBytes = call.MaxOutputBytes,
                OnOutput = call.OnOutput,
            },
            TestContext.Current.CancellationToken);
        return new VivResult(call, output, TimeProvider.System.GetElapsedTime(began));
    }

    /// <summary>Runs viv with <c>--json</c> and reads what it printed.</summary>
    public async Task<JsonElement> JsonAsync(params string[] arguments)
    {
        var result = await RunAsync(WithJsonFlag(arguments));
        using var document = JsonDocument.Parse(result.Stdout);
        return document.RootElement.Clone();
    }

    // Flags belong before "--": what follows is the sandbox's command.
    private static string[] WithJsonFlag(string[] arguments)
    {
        var end = Array.IndexOf(arguments, "--");
        return end < 0 ? [.. arguments, "--json"] : [.. arguments[..end], "--json", .. arguments[end..]];
    }
}

/// <summary>One call of viv.</summary>
internal sealed record VivCall
{
    public required IReadOnlyList<string> Arguments { get; init; }

    public ReadOnlyMemory<byte> Input { get; init; }

    public IReadOnlyDictionary<string, string> Env { get; init; } = new Dictionary<string, string>();

    public string? Cwd { get; init; }

    /// <summary>File of the network namespace it runs in; null: the machine's.</summary>
    public string? NetworkNamespace { get; init; }

    public TimeSpan? Timeout { get; init; }

    public int MaxOutputBytes { get; init; } = 4 * 1024 * 1024;

    public Action<ReadOnlyMemory<byte>, int>? OnOutput { get; init; }

    public static VivCall Of(params string[] arguments) => new() { Arguments = arguments };

    public static ReadOnlyMemory<byte> Text(string text) => Encoding.UTF8.GetBytes(text);
}

/// <summary>What a call of viv did.</summary>
internal sealed record VivResult(VivCall Call, ChildOutput Output, TimeSpan Elapsed)
{
    public int Code => Output.TimedOut ? -1 : Output.Exit.ShellCode;

    public string Stdout => Output.StdoutText;

    public string Stderr => Output.StderrText;

    public VivResult MustSucceed() => MustEndWith(0);

    public VivResult MustEndWith(int code)
    {
        Assert.True(Code == code, $"expected exit code {code}: {this}");
        return this;
    }

    /// <summary>Expects a failure of viv itself that says all of the given words, whatever their case, on standard error and nothing on standard output.</summary>
    public VivResult MustRefuse(params string[] words)
    {
        MustEndWith(125);
        Assert.True(Stdout.Length == 0, $"a refusal prints nothing on standard output: {this}");
        foreach (var word in words)
        {
            Assert.True(Stderr.Contains(word, StringComparison.OrdinalIgnoreCase), $"the message should name \"{word}\": {this}");
        }

        Assert.DoesNotContain("   at ", Stderr, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", Stderr, StringComparison.Ordinal);
        return this;
    }

    public override string ToString()
    {
        var how = Output.TimedOut ? "killed at its time limit" : $"exit code {Code}";
        return $"viv {string.Join(' ', Call.Arguments)}: {how} after {Elapsed.TotalSeconds:0.00} s\n--- stdout\n{Tail(Stdout)}\n--- stderr\n{Tail(Stderr)}";
    }

    private static string Tail(string text) => text.Length <= 4000 ? text : "…" + text[^4000..];
}
