using Vivarium.Linux.Mounts;
using Vivarium.Linux.Namespaces;
using Vivarium.Runtimes.Cgroups;
using Vivarium.Runtimes.Probing;
using Vivarium.Runtimes.Tests.Harness;
using Vivarium.TestKit;

namespace Vivarium.Runtimes.Tests.Probing;

public sealed class EngineProbeTests
{
    [Fact]
    public async Task Every_engine_is_reported_with_a_reason_and_each_runtime_has_at_most_one_default()
    {
        var engines = await Engines.AllAsync();
        Assert.Equal(["crun", "runc", "runsc"], engines.Select(static e => e.Info.Engine).Distinct().Order());
        Assert.All(engines, static e => Assert.False(string.IsNullOrWhiteSpace(e.Info.Detail)));
        Assert.All(engines.GroupBy(static e => e.Info.Runtime), static group => Assert.Equal(group.Any(static e => e.Info.Works) ? 1 : 0, group.Count(static e => e.Info.Default)));
        Assert.All(engines.Where(static e => e.Info.Default), static e => Assert.True(e.Info.Works));
    }

    [Fact]
    public async Task Crun_works_where_both_versions_of_cgroups_are_mounted_and_the_machine_keeps_them()
    {
        Assert.SkipUnless(CgroupHierarchies.Current.Hybrid, "this machine's cgroups are not hybrid");
        Assert.NotNull(await Engines.RequireAsync("crun", static e => e.UserNamespaces));
        var unified = CgroupHierarchies.Current.V2!;
        Assert.Equal(unified, CgroupHierarchies.Parse(await File.ReadAllLinesAsync("/proc/self/mounts")).V2);

        // crun makes a directory for its container where it takes the hierarchy to be: not below the machine's mount.
        var below = NamespaceThread.InNew(NamespaceKinds.Mount, () =>
        {
            Mount.MakePrivate("/");
            Mount.Unmount(unified, lazy: true);
            return Directory.GetFileSystemEntries(unified);
        });
        Assert.Empty(below);
    }

    [Fact]
    public async Task A_program_that_is_no_engine_and_one_that_is_missing_are_reported()
    {
        using var work = new TempDir();
        var engines = await new EngineProbe(new EngineProbeOptions
        {
            Runc = "/bin/false",
            Crun = "/nowhere/crun",
            Runsc = "/bin/true",
            GuestAgentPath = await Programs.GuestAsync(),
            WorkDirectory = work.Path,
            CgroupRoot = TestCgroup.Root,
        }).RunAsync(CancellationToken.None);
        Assert.All(engines, static e => Assert.False(e.Info.Works));
        Assert.Contains("/nowhere/crun", engines.Single(static e => e.Info.Engine == "crun").Info.Detail, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(work.Path));
    }

    [Fact]
    public async Task A_trial_hands_its_engine_no_device_of_the_machine()
    {
        // An engine that only says what it was given; runsc of 2022 gives its standard input to nobody, and once that was /dev/null.
        using var work = new TempDir();
        work.Write("recorder", $"#!/bin/sh\nls -l /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 >> {work["said"]} 2>&1\n");
        File.SetUnixFileMode(work["recorder"], (UnixFileMode)0b111_101_101);
        await new EngineProbe(new EngineProbeOptions
        {
            Runc = work["recorder"],
            Crun = "/nowhere/crun",
            Runsc = work["recorder"],
            GuestAgentPath = await Programs.GuestAsync(),
            WorkDirectory = work.Dir("trials"),
            CgroupRoot = TestCgroup.Root,
        }).RunAsync(CancellationToken.None);
        var said = await File.ReadAllTextAsync(work["said"]);
        Assert.Contains("pipe:", said, StringComparison.Ordinal);
        Assert.DoesNotContain("/dev/", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_worked_is_remembered_until_the_program_changes()
    {
        var runc = await Engines.RequireAsync("runc", static _ => true);
        using var work = new TempDir();
        var options = new EngineProbeOptions
        {
            Runc = runc.Info.Path!,
            Crun = "/nowhere/crun",
            Runsc = "/nowhere/runsc",
            GuestAgentPath = await Programs.GuestAsync(),
            WorkDirectory = work.Path,
            CgroupRoot = TestCgroup.Root,
            CacheFile = work["cache.json"],
        };
        var first = (await new EngineProbe(options).RunAsync(CancellationToken.None)).Single(static e => e.Info.Engine == "runc");
        var again = (await new EngineProbe(options with { WorkDirectory = "/nowhere" }).RunAsync(CancellationToken.None)).Single(static e => e.Info.Engine == "runc");
        Assert.True(first.Info.Works);
        Assert.Equal(first.Info, again.Info);

        work.Write("cache.json", "{ damaged");
        Assert.True((await new EngineProbe(options).RunAsync(CancellationToken.None)).Single(static e => e.Info.Engine == "runc").Info.Works);
    }

    [Theory]
    [InlineData("0.0~20240729.0", "0.0~20221219.0", 1)]
    [InlineData("1.1.5+ds1", "1.1.12", -1)]
    [InlineData("1.8.1", "1.8.1", 0)]
    [InlineData(null, "1", -1)]
    public void Versions_are_compared_number_by_number(string? one, string? other, int order) =>
        Assert.Equal(order, Math.Sign(EngineProbe.CompareVersions(one, other)));
}
