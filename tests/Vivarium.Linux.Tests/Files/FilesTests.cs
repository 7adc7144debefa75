using Vivarium.Linux.Files;
using Vivarium.TestKit;

namespace Vivarium.Linux.Tests.Files;

public sealed class FilesTests : IDisposable
{
    private readonly TempDir temp = new();

    public void Dispose() => temp.Dispose();

    [Fact]
    public void An_atomic_write_replaces_content_and_mode_and_leaves_nothing_beside()
    {
        var path = temp.Write("state", "old");
        using var reader = File.OpenText(path);
        AtomicFile.Write(path, "new", UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal("old", reader.ReadToEnd()); // who had it open sees the old one, whole
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.GroupRead, File.GetUnixFileMode(path));
        Assert.Single(Directory.GetFileSystemEntries(temp.Path));
        Assert.Throws<LinuxException>(() => AtomicFile.Write(temp["missing/state"], "x"));
    }

    [Fact]
    public void A_lock_excludes_others_and_ends_when_disposed()
    {
        var path = temp["lock"];
        Assert.False(FileLock.IsHeld(path));
        using (var held = FileLock.TryAcquire(path))
        {
            Assert.NotNull(held);
            Assert.Null(FileLock.TryAcquire(path));
            Assert.True(FileLock.IsHeld(path));
        }

        Assert.False(FileLock.IsHeld(path));
        using var again = FileLock.TryAcquire(path);
        Assert.NotNull(again);
    }

    [Fact]
    public void Opening_beneath_a_directory_never_leaves_it()
    {
        var root = temp.Dir("root");
        temp.Write("secret", "s");
        temp.Write("root/a/b", "inside");
        File.CreateSymbolicLink(temp["root/out"], temp["secret"]);
        File.CreateSymbolicLink(temp["root/up"], "../secret");
        File.CreateSymbolicLink(temp["root/in"], "a/b");

        using (var file = OpenBeneath.Read(root, "a/b"))
        {
            Assert.Equal(6, RandomAccess.GetLength(file));
        }

        using (var linked = OpenBeneath.Read(root, "in"))
        {
            Assert.Equal(6, RandomAccess.GetLength(linked));
        }

        foreach (var path in new[] { "out", "up", "../secret", "/etc/passwd", "a/../../secret" })
        {
            Assert.Equal(Errno.EXDEV, Assert.Throws<LinuxException>(() => OpenBeneath.Read(root, path)).Errno);
        }

        Assert.Equal(Errno.ELOOP, Assert.Throws<LinuxException>(() => OpenBeneath.Read(root, "in", allowLinks: false)).Errno);
        using (OpenBeneath.Create(root, "a/new", 0x1A4))
        {
        }

        Assert.Equal(Errno.EEXIST, Assert.Throws<LinuxException>(() => OpenBeneath.Create(root, "a/new", 0x1A4)).Errno);
    }

    [Fact]
    public void Status_tells_owner_times_links_and_kind()
    {
        var path = temp.Write("f", "12345");
        FileChanges.Chown(path, 1001, 1002);
        FileChanges.Chmod(path, 0x9A4); // 4644 octal
        FileChanges.SetModified(path, 1_234_567_890_123_456_789);
        FileChanges.HardLink(path, temp["g"]);
        var status = FileStatus.Of(path);
        Assert.Equal((1001u, 1002u, 5L, 0x9A4, FileKind.Regular, 2u, 1_234_567_890_123_456_789L),
            (status.Uid, status.Gid, status.Size, status.Mode, status.Kind, status.Links, status.ModifiedUnixNs));

        FileChanges.SetModified(path, -1); // before the epoch
        Assert.Equal(-1, FileStatus.Of(path).ModifiedUnixNs);

        FileChanges.MakeNode(temp["null"], FileKind.CharacterDevice, 0x1B6, 1, 3);
        Assert.Equal((1u, 3u), FileStatus.Of(temp["null"]).Special);
        File.CreateSymbolicLink(temp["dangling"], "nowhere");
        Assert.Equal(FileKind.SymbolicLink, FileStatus.Of(temp["dangling"], follow: false).Kind);
        Assert.Null(FileStatus.Find(temp["dangling"]));
        Assert.Equal(Errno.ENOENT, Assert.Throws<LinuxException>(() => FileStatus.Of(temp["none"])).Errno);
    }

    [Fact]
    public void Renaming_can_refuse_or_swap()
    {
        var a = temp.Write("a", "a");
        var b = temp.Write("b", "b");
        Assert.Equal(Errno.EEXIST, Assert.Throws<LinuxException>(() => FileChanges.RenameNew(a, b)).Errno);
        FileChanges.Exchange(a, b);
        Assert.Equal("b", File.ReadAllText(a));
        FileChanges.RenameNew(a, temp["c"]);
        Assert.False(File.Exists(a));
    }

    [Fact]
    public void Extended_attributes_are_kept()
    {
        var path = temp.Write("f", "x");
        Assert.Empty(Xattrs.List(path));
        Assert.Null(Xattrs.Get(path, "user.a"));
        Xattrs.Set(path, "user.a", [0, 1, 255]);
        Xattrs.Set(path, "user.empty", []);
        Assert.Equal([0, 1, 255], Xattrs.Get(path, "user.a")!);
        Assert.Equal([], Xattrs.Get(path, "user.empty")!);
        Assert.Equal(["user.a", "user.empty"], Xattrs.List(path).Order());
        Assert.True(Xattrs.Remove(path, "user.a"));
        Assert.False(Xattrs.Remove(path, "user.a"));
    }

    [Fact]
    public void Space_of_a_file_system_adds_up()
    {
        var space = FileSystemSpace.Of(temp.Path);
        Assert.InRange(space.FreeBytes, 1, space.TotalBytes);
        Assert.InRange(space.AvailableBytes, 0, space.FreeBytes);
        Assert.Equal(FileSystemSpace.TmpfsMagic, FileSystemSpace.Of("/dev/shm").Magic);
    }

    [Fact]
    public void A_clone_falls_back_to_a_copy()
    {
        var source = temp.Write("a", "content");
        FileChanges.Chmod(source, 0x1A0);
        Reflink.CloneOrCopy(source, temp["b"]);
        Assert.Equal("content", File.ReadAllText(temp["b"]));
        Assert.Equal(0x1A0, FileStatus.Of(temp["b"]).Mode);
    }
}
