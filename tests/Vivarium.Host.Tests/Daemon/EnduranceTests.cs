using System.Globalization;
using Vivarium.Host.Tests.Support;
using Vivarium.Linux.Files;
using Vivarium.Linux.Mounts;
using Vivarium.TestKit;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Daemon;

/// <summary>
/// Many sandboxes one after another, and many commands in one: no descriptor, thread, file, mount, cgroup is left of them, and no memory. The long form of the reliability
/// table is <c>VIVARIUM_LIVES=1000 VIVARIUM_COMMANDS=10000</c>; the figures are in the test's output.
/// </summary>
[Collection(DaemonTests.Name)]
public sealed class EnduranceTests
{
    private const int AtOnce = 4;
    private const long MoreMemory = 40L << 20;
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Many_lives_leave_nothing()
    {
        var lives = Number("VIVARIUM_LIVES", 80);
        await using var daemon = await TestDaemon.StartAsync("VIVARIUM_DAEMON_LOG_LEVEL=info");

        // The daemon remembers the last events and operations: in the long form that is full before anything is measured.
        await LiveAsync(daemon, lives > 200 ? lives : 20);
        var before = await OfDaemonAsync(daemon);
        var began = TimeProvider.System.GetTimestamp();
        await LiveAsync(daemon, lives);
        var took = TimeProvider.System.GetElapsedTime(began);
        await SameAsync($"{lives} lives in {took.TotalSeconds:0.0} s", before, () => OfDaemonAsync(daemon));
    }

    [Fact]
    public async Task Many_commands_leave_nothing()
    {
        var commands = Number("VIVARIUM_COMMANDS", 1000);
        await using var daemon = await TestDaemon.StartAsync("VIVARIUM_DAEMON_LOG_LEVEL=info");
        var box = await daemon.CreateAsync("box");
        await RunAsync(daemon, 200);
        var (before, supervisor) = (await OfDaemonAsync(daemon), Of(box.SupervisorPid));
        var began = TimeProvider.System.GetTimestamp();
        await RunAsync(daemon, commands);
        var took = TimeProvider.System.GetElapsedTime(began);
        await SameAsync($"{commands} commands in {took.TotalSeconds:0.0} s, daemon", before, () => OfDaemonAsync(daemon));
        await SameAsync($"{commands} commands, supervisor", supervisor, () => Task.FromResult(Of(box.SupervisorPid)));
    }

    private static async Task LiveAsync(TestDaemon daemon, int count)
    {
        var left = count;
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(async _ =>
        {
            await using var client = await daemon.ConnectAsync();
            while (Interlocked.Decrement(ref left) >= 0)
            {
                var made = await client.CreateAsync(new CreateParams(), None);
                Assert.Equal(0, (await client.ExecAsync(True(made.Id), None)).Exit.Code);
                await client.DestroyAsync(new DestroyParams { Ref = made.Id, Force = true, Now = true }, None);
            }
        }));
    }

    private static async Task RunAsync(TestDaemon daemon, int count)
    {
        var left = count;
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(async _ =>
        {
            await using var client = await daemon.ConnectAsync();
            while (Interlocked.Decrement(ref left) >= 0)
            {
                Assert.Equal(0, (await client.ExecAsync(True("box"), None)).Exit.Code);
            }
        }));
    }

    private static RunParams True(string reference) => new() { Ref = reference, Request = new ExecRequest { Argv = ["true"] } };

    /// <summary>The process, and what is on the machine for its sandboxes when what was removed is gone.</summary>
    private static async Task<Figures> OfDaemonAsync(TestDaemon daemon)
    {
        var sandboxes = await daemon.ListAsync();
        await Eventually.True(() => daemon.NotOwned(sandboxes).Length == 0, TimeSpan.FromSeconds(20), daemon.NotOwned(sandboxes));
        return Of(daemon.Pid) with
        {
            Files = new[] { daemon.State, daemon.Runtime }.Sum(static d => Directory.EnumerateFileSystemEntries(d, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint }).Count()),
            Mounts = MountTable.AtAndBelow(daemon.Root).Count,
        };
    }

    private static Figures Of(int pid) => new(
        // The runtime keeps each assembly open that it has loaded, some of them late (System.Private.Uri, System.Net.NameResolution): these are the program, not what it leaves open.
        Directory.GetFiles($"/proc/{pid}/fd").Count(static fd => new FileInfo(fd).LinkTarget?.EndsWith(".dll", StringComparison.Ordinal) != true),
        Directory.GetDirectories($"/proc/{pid}/task").Length,
        long.Parse(PseudoFile.TryRead($"/proc/{pid}/statm")!.Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize);

    private static async Task SameAsync(string what, Figures before, Func<Task<Figures>> measure)
    {
        var after = before;
        try
        {
            await Eventually.True(async () => (after = await measure()).IsNoMoreThan(before), TimeSpan.FromSeconds(20), what);
        }
        finally
        {
            TestContext.Current.TestOutputHelper!.WriteLine($"{what}: before {before}; after {after}");
        }
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var value) ? value : otherwise;

    private sealed record Figures(int Descriptors, int Threads, long Resident)
    {
        public int Files { get; init; }

        public int Mounts { get; init; }

        public bool IsNoMoreThan(Figures before) =>
            Descriptors <= before.Descriptors + 3 && Threads <= before.Threads + 8 && Resident <= before.Resident + MoreMemory && Files <= before.Files + 3 && Mounts <= before.Mounts;

        public override string ToString() =>
            string.Create(CultureInfo.InvariantCulture, $"{Descriptors} descriptors, {Threads} threads, {Resident / 1048576.0:0.0} MiB, {Files} files, {Mounts} mounts");
    }
}
