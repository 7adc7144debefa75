using System.Security.Cryptography;
using Vivarium.Linux.Files;
using Vivarium.Runtimes.Probing;
using Vivarium.Runtimes.Tests.Harness;

namespace Vivarium.Runtimes.Tests.Escape;

/// <summary>
/// What an escape would need, tried from inside each runtime (<c>escape-probe.c</c>): files, sockets, shared memory and processes of the host, the agent, mounts,
/// devices, kernel files and settings, system calls, namespaces, inherited descriptors, set-user-id.
/// </summary>
public abstract class EscapeTests
{
    /// <summary>Devices of the whole machine, which an engine might hand a sandbox instead of nodes of its own.</summary>
    private static readonly string[] SharedDevices = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

    private static readonly string[] KernelSettings =
        [.. new[] { "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/panic", "/proc/sys/kernel/hostname" }.Where(File.Exists)];

    /// <summary>The engine under test, or a skipped test.</summary>
    protected abstract Task<ProbedEngine> EngineAsync();

    /// <summary>Whether the sandbox gets a user namespace.</summary>
    protected virtual bool UserNamespace => false;

    [Fact]
    public async Task Nothing_an_escape_would_need_is_allowed()
    {
        var engine = await EngineAsync();
        var devices = Owners();
        var settings = KernelSettings.Select(File.ReadAllText).ToArray();
        await using var rig = await EscapeRig.StartAsync(engine, UserNamespace);
        var agent = await HashAsync(rig.Rig.Spec.GuestAgentPath);
        foreach (var user in (string[])["user", "root"])
        {
            var verdicts = await rig.ProbeAsync(user);
            Assert.True(verdicts.Count > 100, $"only {verdicts.Count} trials were made");
            var allowed = verdicts.Where(static v => v.Value.StartsWith("ALLOWED", StringComparison.Ordinal)).Select(static v => $"{v.Key} ({v.Value})").ToArray();
            Assert.True(allowed.Length == 0, $"allowed to {user}: {string.Join("; ", allowed)}");
        }

        Assert.Equal(agent, await HashAsync(rig.Rig.Spec.GuestAgentPath));
        Assert.Equal(settings, KernelSettings.Select(File.ReadAllText));
        Assert.Equal(devices, Owners());
    }

    [Fact]
    public async Task The_init_holds_no_descriptor_of_a_host_directory()
    {
        var engine = await EngineAsync();
        await using var rig = await EscapeRig.StartAsync(engine, UserNamespace);
        var status = await File.ReadAllTextAsync($"/proc/{rig.Rig.Runtime.EnginePid}/status");
        if (engine.Info.Engine != "runsc")
        {
            var held = Directory.EnumerateFileSystemEntries($"/proc/{rig.Rig.Runtime.EnginePid}/fd").Select(static fd => new FileInfo(fd).LinkTarget ?? "").Where(static target => target.StartsWith('/'));
            Assert.DoesNotContain(held, target => Directory.Exists($"/proc/{rig.Rig.Runtime.EnginePid}/root{target}") || Directory.Exists(target));
            Assert.Equal("/", new DirectoryInfo($"/proc/{rig.Rig.Runtime.EnginePid}/cwd").LinkTarget);
            Assert.Equal(UserNamespace, !status.Contains("Uid:\t0\t", StringComparison.Ordinal)); // root inside is somebody without a name outside
        }
    }

    private static (string, uint, uint)[] Owners() => [.. SharedDevices.Select(static path => FileStatus.Of(path) is var status ? (path, status.Uid, status.Gid) : default)];

    private static async Task<string> HashAsync(string path)
    {
        await using var file = File.OpenRead(path);
        return Convert.ToHexString(await SHA256.HashDataAsync(file));
    }
}

/// <summary>A container whose root is the host's user 0, held by everything else.</summary>
public sealed class ContainerEscapeTests : EscapeTests
{
    protected override Task<ProbedEngine> EngineAsync() => Engines.RequireAsync("runc", static _ => true);
}

/// <summary>A container of runc with a user namespace.</summary>
public sealed class UserNamespaceEscapeTests : EscapeTests
{
    protected override bool UserNamespace => true;

    protected override Task<ProbedEngine> EngineAsync() => Engines.RequireAsync("runc", static engine => engine.UserNamespaces);
}

/// <summary>The same by crun: the default where it works.</summary>
public sealed class CrunEscapeTests : EscapeTests
{
    protected override bool UserNamespace => true;

    protected override Task<ProbedEngine> EngineAsync() => Engines.RequireAsync("crun", static engine => engine.UserNamespaces);
}

/// <summary>gVisor as the distribution has it.</summary>
public sealed class DistributionGvisorEscapeTests : EscapeTests
{
    protected override Task<ProbedEngine> EngineAsync() => Engines.RequireAsync("runsc", static engine => engine.Info.Path == "/usr/bin/runsc");
}

/// <summary>A newer gVisor.</summary>
public sealed class NewerGvisorEscapeTests : EscapeTests
{
    protected override Task<ProbedEngine> EngineAsync() => Engines.RequireAsync("runsc", static engine => engine.Info.Path != "/usr/bin/runsc");
}
