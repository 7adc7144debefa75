using Vivarium.Linux.Files;
using Vivarium.Linux.Mounts;
using Vivarium.Linux.Namespaces;
using Vivarium.TestKit;

namespace Vivarium.Linux.Tests.Mounts;

public sealed class MountTests : IDisposable
{
    private readonly TempDir temp = new();

    public void Dispose() => temp.Dispose();

    [Fact]
    public void A_file_system_is_mounted_found_and_unmounted()
    {
        var target = temp.Dir("with space");
        Mount.FileSystem("viv-test", target, "tmpfs", MountFlags.NoDevices, "size=1m,mode=0700");
        var entry = MountTable.Find(target);
        Assert.Equal(("tmpfs", "viv-test"), (entry?.FileSystem, entry?.Source));
        Assert.Contains("nodev", entry!.Options);
        Assert.True(Mount.Unmount(target));
        Assert.False(Mount.Unmount(target));
        Assert.False(MountTable.IsMountPoint(target));
        Assert.False(Mount.Unmount(temp["missing"]));
    }

    [Fact]
    public void A_bind_mount_can_be_read_only()
    {
        temp.Write("source/file", "x");
        Mount.Bind(temp["source"], temp.Dir("target"), readOnly: true);
        Assert.Equal("x", File.ReadAllText(temp["target/file"]));
        Assert.ThrowsAny<IOException>(() => temp.Write("target/new", "y"));
        temp.Write("source/new", "y"); // the source itself stays writable
        Assert.Equal(1, MountTable.UnmountAll(temp["target"]));
    }

    [Fact]
    public void Owners_are_shifted_on_an_id_mapped_mount()
    {
        var file = temp.Write("source/file", "x");
        IdMappedMount.Create(temp["source"], temp.Dir("target"), [new IdRange(0, 100_000, 65_536)], MountFlags.NoDevices);
        Assert.Equal((100_000u, 100_000u), (FileStatus.Of(temp["target/file"]).Uid, FileStatus.Of(temp["target/file"]).Gid));
        Assert.Equal(0u, FileStatus.Of(file).Uid);
        FileChanges.Chown(temp["target/file"], 101_000, 101_000);
        Assert.Equal(1_000u, FileStatus.Of(file).Uid);
        Assert.Throws<LinuxException>(() => IdMappedMount.Create(temp["missing"], temp["target"], [new IdRange(0, 100_000, 1)]));
    }

    [Fact]
    public void Mountinfo_lines_are_read_as_documented()
    {
        var entry = MountTable.Parse(@"36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue");
        Assert.Equal(new MountEntry(36, 35, "98:0", "/mnt1", "/mnt 2", "rw,noatime", "ext3", "/dev/root", "rw,errors=continue"), entry);
        Assert.Equal("btrfs", MountTable.Parse("1 2 0:5 / /a rw - btrfs none rw").FileSystem);
    }

    [Fact]
    public void Network_namespaces_live_as_long_as_their_file()
    {
        var path = temp["net"];
        NetworkNamespace.Create(path);
        var names = NamespaceThread.In(path, NamespaceKinds.Network, () => File.ReadAllLines("/proc/thread-self/net/dev").Skip(2).Select(l => l.Split(':')[0].Trim()).ToArray());
        Assert.Equal(["lo"], names);
        Assert.NotEqual(new FileInfo("/proc/self/ns/net").LinkTarget, NamespaceThread.In(path, NamespaceKinds.Network, () => new FileInfo("/proc/thread-self/ns/net").LinkTarget));
        Assert.Throws<LinuxException>(() => NetworkNamespace.Create(path));
        NetworkNamespace.Remove(path);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void Another_mount_namespace_can_be_entered()
    {
        var target = temp.Dir("private");
        var seen = NamespaceThread.InNew(NamespaceKinds.Mount, () =>
        {
            Mount.MakePrivate("/");
            Mount.FileSystem("viv-test", target, "tmpfs");
            return File.ReadAllText("/proc/thread-self/mountinfo").Contains(target);
        });
        Assert.True(seen);
        Assert.False(MountTable.IsMountPoint(target));
        Assert.Equal(Environment.MachineName, NamespaceThread.In(Environment.ProcessId, NamespaceKinds.Mount | NamespaceKinds.Uts, () => Environment.MachineName));
    }
}
