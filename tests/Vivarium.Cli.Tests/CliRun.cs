using Microsoft.Win32.SafeHandles;
using Vivarium.Cli.Terminal;

namespace Vivarium.Cli.Tests;

/// <summary>Calls viv inside this process with descriptors of its own.</summary>
internal sealed record CliRun(int Code, string Output, string Errors)
{
    /// <summary>2026-01-02 03:04:05 UTC: tables with ages come out the same every time.</summary>
    public static DateTimeOffset Now { get; } = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    public static CliRun Of(FakeDaemon? daemon, string[] args, string input = "")
    {
        using var directory = new TemporaryDirectory();
        var config = daemon?.ConfigFile ?? directory.Write("config.toml", $"[paths]\nruntime = \"{directory["run"]}\"\nstate = \"{directory["state"]}\"\n");
        using var stdin = Open(directory.Write("in", input), FileMode.Open);
        using var stdout = Open(directory["out"], FileMode.CreateNew);
        using var stderr = Open(directory["err"], FileMode.CreateNew);
        var code = App.Run(args.Contains("--config") ? args : ["--config", config, .. args], new Stdio(Number(stdin), Number(stdout), Number(stderr)), new FixedClock());
        return new CliRun(code, File.ReadAllText(directory["out"]), File.ReadAllText(directory["err"]));
    }

    private static SafeFileHandle Open(string path, FileMode mode) => File.OpenHandle(path, mode, FileAccess.ReadWrite, FileShare.ReadWrite);

    private static int Number(SafeFileHandle handle) => (int)handle.DangerousGetHandle();

    internal sealed class FixedClock : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
