using System.Globalization;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Tests.Support;
using Vivarium.Linux.Mounts;
using Vivarium.Linux.Processes;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.Tests.Daemon;

/// <summary>What supervisors and sandboxes are started with.</summary>
[Collection(DaemonTests.Name)]
public sealed class ConfinementTests
{
    private const int CAP_SYS_RESOURCE = 24;

    [Fact]
    public async Task A_supervisor_has_no_power_it_does_not_need()
    {
        await using var daemon = await TestDaemon.StartAsync();
        var box = await daemon.CreateAsync("box");
        var proc = $"/proc/{box.SupervisorPid}";
        var status = (await File.ReadAllLinesAsync(proc + "/status")).Select(static line => line.Split(':', 2)).ToDictionary(static f => f[0], static f => f[1].Trim());
        Assert.Equal("1", status["NoNewPrivs"]);
        foreach (var set in (string[])["CapBnd", "CapPrm", "CapEff"])
        {
            var bits = ulong.Parse(status[set], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            Assert.All(Enum.GetValues<Capability>(), capability => Assert.Equal(0UL, bits >> (int)capability & 1));
        }

        var limits = await File.ReadAllLinesAsync(proc + "/limits");
        Assert.Matches("^Max core file size +0 +0 ", limits.Single(static l => l.StartsWith("Max core", StringComparison.Ordinal)));
        var files = limits.Single(static l => l.StartsWith("Max open files", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.InRange(int.Parse(files[3], CultureInfo.InvariantCulture), 1, 8192);
        if ((ulong.Parse(status["CapEff"], NumberStyles.HexNumber, CultureInfo.InvariantCulture) >> CAP_SYS_RESOURCE & 1) != 0)
        {
            Assert.True(int.Parse(await File.ReadAllTextAsync(proc + "/oom_score_adj"), CultureInfo.InvariantCulture) < 0);
        }

        // Only what it was given, and read by root alone: the tokens in its memory are not its user's to read.
        var names = (await File.ReadAllTextAsync(proc + "/environ")).Split('\0', StringSplitOptions.RemoveEmptyEntries).Select(static e => e.Split('=')[0]);
        Assert.Equal(["LANG", "PATH", "VIV_START"], names.Order());
    }

    [Fact]
    public async Task Each_sandbox_has_host_ids_of_its_own_which_are_free_again_when_it_is_gone()
    {
        await using var daemon = await TestDaemon.StartAsync();
        var boxes = await Task.WhenAll(Enumerable.Range(0, 3).Select(i => daemon.CreateAsync($"box-{i}")));
        Assert.SkipUnless(boxes.All(static box => box.Capabilities?.UserNamespace == true), "no user namespaces here: " + daemon.Log);
        var roots = await Task.WhenAll(boxes.Select(static box => RootOfAsync(box.SupervisorPid)));
        Assert.Equal(3, roots.Distinct().Count());
        Assert.All(roots, static root => Assert.InRange(root, IdRanges.First, IdRanges.End - 1));
        Assert.All(roots, static root => Assert.Equal(0u, root % IdRanges.PerSandbox));

        // Also after the daemon was killed: the records say which are taken.
        await daemon.KillAsync();
        await daemon.StartAgainAsync();
        await daemon.DestroyAsync("box-1");
        var next = await daemon.CreateAsync("next");
        Assert.Equal(roots[1], await RootOfAsync(next.SupervisorPid));
        Assert.Equal("0\n", (await daemon.RunAsync("next", "id", "-u")).Out());
    }

    [Fact]
    public async Task Turned_off_there_is_none_and_demanded_where_impossible_it_is_refused()
    {
        await using (var off = await TestDaemon.StartAsync("VIVARIUM_RUNTIME_USER_NAMESPACES=off"))
        {
            var box = await off.CreateAsync("box");
            Assert.Equal(0u, await RootOfAsync(box.SupervisorPid));
            Assert.NotEqual(true, box.Capabilities?.UserNamespace);
        }

        // A share on a file system without id-mapped mounts: what cannot be honoured is refused, not ignored.
        await using var on = await TestDaemon.StartAsync("VIVARIUM_RUNTIME_USER_NAMESPACES=on");
        await using var client = await on.ConnectAsync();
        using var place = new TempDir();
        Mount.FileSystem("ramfs", place.Dir("share"), "ramfs");
        try
        {
            var parameters = new Wire.Host.CreateParams { Name = "shared", Shares = [new Wire.Supervisor.ShareSpec { HostPath = place["share"], GuestPath = "/mnt/x", ReadOnly = true }] };
            var error = await Assert.ThrowsAsync<VivariumException>(() => client.CreateAsync(parameters, CancellationToken.None));
            Assert.Equal("user_namespaces_impossible", error.Reason);
            Assert.Empty(await on.ListAsync());
        }
        finally
        {
            Mount.Unmount(place["share"]);
        }
    }

    /// <summary>The host id of the init's user.</summary>
    private static async Task<uint> RootOfAsync(int supervisor)
    {
        var children = (await File.ReadAllTextAsync($"/proc/{supervisor}/task/{supervisor}/children")).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        foreach (var child in children)
        {
            var status = await File.ReadAllLinesAsync($"/proc/{child}/status");
            if (status[0].EndsWith("viv-guest", StringComparison.Ordinal))
            {
                return uint.Parse(status.Single(static l => l.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t')[1], CultureInfo.InvariantCulture);
            }
        }

        throw new InvalidOperationException($"the supervisor {supervisor} has no init among its children ({string.Join(' ', children)})");
    }
}
