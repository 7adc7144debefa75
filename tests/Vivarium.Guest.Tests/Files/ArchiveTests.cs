using System.Text;
using Vivarium.Guest.Tests.Harness;
using Vivarium.Linux.Files;
using Vivarium.Linux.Processes;
using Vivarium.Linux.Tar;
using Vivarium.TestKit;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests.Files;

public sealed class ArchiveTests : IAsyncLifetime
{
    private readonly TempDir _temp = new();
    private GuestInstance _guest = null!;

    public async ValueTask InitializeAsync() => _guest = await GuestInstance.StartDirectAsync();

    public async ValueTask DisposeAsync()
    {
        await _guest.DisposeAsync();
        _temp.Dispose();
    }

    [Fact]
    public async Task A_tree_survives_the_way_out_and_in_unchanged()
    {
        _temp.Write("src/dir/file", "content");
        FileChanges.Chmod(_temp["src/dir/file"], 0x9ED);
        FileChanges.Chown(_temp["src/dir/file"], 1000, 1001);
        FileChanges.Chmod(_temp["src/dir/file"], 0x9ED);
        FileChanges.SetModified(_temp["src/dir/file"], 1_700_000_000_123_456_789);
        Xattrs.Set(_temp["src/dir/file"], "user.origin", [1, 0, 2]);
        FileChanges.HardLink(_temp["src/dir/file"], _temp["src/hard"]);
        File.CreateSymbolicLink(_temp["src/link"], "dir/../nowhere");
        FileChanges.MakeNode(_temp["src/pipe"], FileKind.Fifo, 0x180);
        Directory.CreateDirectory(_temp["src/empty"]);
        FileChanges.Chmod(_temp["src/empty"], 0x16D); // read-only
        FileChanges.SetModified(_temp["src/empty"], 1_600_000_000_000_000_001);
        _temp.Write("src/" + new string('n', 200), "long");
        var odd = Encoding.UTF8.GetString([0xc3, 0xa4]);
        _temp.Write("src/" + odd, "umlaut");

        await using var files = await Open();
        using var tar = new MemoryStream();
        await files.PackAsync(_temp["src"], null, null, tar, default);
        tar.Position = 0;
        await files.UnpackAsync(_temp["new/place"], null, tar, keepOwners: true, default);

        var list = await ChildRun.RunAsync("sh", ["-c", $"cd {_temp["src"]} && find . -mindepth 1 -printf '%p %y %m %U %G %s %T@ %n %l\\n' | sort > ../a; cd {_temp["new/place"]} && find . -mindepth 1 -printf '%p %y %m %U %G %s %T@ %n %l\\n' | sort > ../../b; cd ../..; diff a b && diff -r --no-dereference src/dir new/place/dir"], null, default);
        Assert.True(list.Succeeded, list.StdoutText + list.StderrText);
        Assert.Equal([1, 0, 2], Xattrs.Get(_temp["new/place/dir/file"], "user.origin")!);
        Assert.Equal(FileStatus.Of(_temp["new/place/hard"]).Inode, FileStatus.Of(_temp["new/place/dir/file"]).Inode);
    }

    [Fact]
    public async Task Without_owners_everything_belongs_to_the_user_and_no_right_is_smuggled_in()
    {
        FileChanges.Chmod(_temp.Path, 0x1FF);
        var tar = Tar(w => Add(w, "bin/su", mode: 0x9ED, uid: 0, content: "x"));
        await using var files = await Open();
        await files.UnpackAsync(_temp["u"], "65534:65534", tar, keepOwners: false, default);
        var status = FileStatus.Of(_temp["u/bin/su"]);
        Assert.Equal((65534u, 0x1ED), (status.Uid, status.Mode));
        tar.Position = 0;
        var refused = await Assert.ThrowsAsync<VivariumException>(() => files.UnpackAsync(_temp["v"], "65534:65534", tar, keepOwners: true, default));
        Assert.Equal(ErrorCode.PermissionDenied, refused.Code);
    }

    [Theory]
    [InlineData("../evil")]
    [InlineData("a/../../evil")]
    [InlineData("/../evil")]
    public async Task A_name_that_leads_outside_is_refused(string name)
    {
        await using var files = await Open();
        var error = await Assert.ThrowsAsync<VivariumException>(() => files.UnpackAsync(_temp["t"], null, Tar(w => Add(w, name, content: "x")), false, default));
        Assert.Equal("path_escape", error.Reason);
        Assert.False(File.Exists(_temp["evil"]));
    }

    [Fact]
    public async Task A_link_that_leads_outside_is_not_written_through()
    {
        _temp.Write("outside/file", "keep");
        foreach (var target in new[] { _temp["outside"], "../outside" })
        {
            var tar = Tar(w =>
            {
                w.Add(new TarEntry { Name = "l", Type = TarEntryType.SymbolicLink, Target = target });
                Add(w, "l/file", content: "evil");
            });
            await using var files = await Open();
            var error = await Assert.ThrowsAsync<VivariumException>(() => files.UnpackAsync(_temp["t"], null, tar, false, default));
            Assert.Equal("path_escape", error.Reason);
            var hard = Tar(w => w.Add(new TarEntry { Name = "h", Type = TarEntryType.HardLink, Target = "l/file" }));
            await using var again = await Open();
            await Assert.ThrowsAsync<VivariumException>(() => again.UnpackAsync(_temp["t"], null, hard, false, default));
        }

        // A file where a link is replaces the link, not what it points to.
        File.CreateSymbolicLink(_temp["t/direct"], _temp["outside/file"]);
        await using var last = await Open();
        await last.UnpackAsync(_temp["t"], null, Tar(w => Add(w, "direct", content: "new")), false, default);
        Assert.Equal("keep", await File.ReadAllTextAsync(_temp["outside/file"]));
        Assert.Equal("new", await File.ReadAllTextAsync(_temp["t/direct"]));
    }

    [Fact]
    public async Task A_link_that_stays_inside_is_followed()
    {
        Directory.CreateDirectory(_temp["t/usr/lib"]);
        File.CreateSymbolicLink(_temp["t/lib"], "usr/lib");
        await using var files = await Open();
        await files.UnpackAsync(_temp["t"], null, Tar(w =>
        {
            w.Add(new TarEntry { Name = "lib", Type = TarEntryType.Directory, Mode = 0x1ED });
            Add(w, "lib/x.so", content: "x");
        }), false, default);
        Assert.Equal("x", await File.ReadAllTextAsync(_temp["t/usr/lib/x.so"]));
        Assert.Equal("usr/lib", new FileInfo(_temp["t/lib"]).LinkTarget);
    }

    [Fact]
    public async Task A_damaged_archive_is_refused_and_the_agent_lives()
    {
        var whole = Tar(w => Add(w, "f", content: new string('x', 5000))).ToArray();
        var damaged = (byte[])whole.Clone();
        damaged[0] ^= 1;
        foreach (var bytes in new[] { damaged, whole[..1500], Encoding.UTF8.GetBytes(new string('z', 100_000)) })
        {
            await using var files = await Open();
            var error = await Assert.ThrowsAsync<VivariumException>(() => files.UnpackAsync(_temp["t"], null, new MemoryStream(bytes), false, default));
            Assert.Equal(ErrorCode.InvalidArgument, error.Code);
        }

        await using var after = await Open();
        Assert.Equal("dir", (await after.StatAsync("/", null, false, default)).Type);
    }

    [Fact]
    public async Task Only_what_is_asked_for_is_packed_and_what_cannot_be_read_is_reported()
    {
        _temp.Write("src/a/x", "1");
        _temp.Write("src/b", "2");
        _temp.Write("src/c", "3");
        await using var files = await Open();
        using var tar = new MemoryStream();
        await files.PackAsync(_temp["src"], null, ["a", "c"], tar, default);
        Assert.Equal(["a", "a/x", "c"], NamesIn(tar));

        Assert.Equal(ErrorCode.NotFound, (await Assert.ThrowsAsync<VivariumException>(() => files.PackAsync(_temp["src"], null, ["none"], Stream.Null, default))).Code);
        Assert.Equal("path_escape", (await Assert.ThrowsAsync<VivariumException>(() => files.PackAsync(_temp["src"], null, ["../x"], Stream.Null, default))).Reason);

        FileChanges.Chmod(_temp.Path, 0x1ED);
        FileChanges.Chmod(_temp["src/b"], 0x180);
        using var partial = new MemoryStream();
        var error = await Assert.ThrowsAsync<VivariumException>(() => files.PackAsync(_temp["src"], "65534", null, partial, default));
        Assert.Equal(ErrorCode.PermissionDenied, error.Code);
        Assert.Equal(["a", "a/x", "c"], NamesIn(partial));
    }

    [Fact]
    public async Task Holes_stay_holes()
    {
        var content = new byte[8 << 20];
        content[^1] = 1;
        await using var files = await Open();
        var tar = new MemoryStream();
        var writer = new TarWriter(tar);
        writer.Add(new TarEntry { Name = "sparse", Type = TarEntryType.File, Mode = 0x1A4, Size = content.Length });
        writer.Content(content);
        writer.Add(new TarEntry { Name = "empty", Type = TarEntryType.File, Mode = 0x1A4, Size = content.Length });
        writer.Content(new byte[content.Length]);
        writer.Finish();
        tar.Position = 0;
        await files.UnpackAsync(_temp["t"], null, tar, false, default);
        Assert.Equal(content, await File.ReadAllBytesAsync(_temp["t/sparse"]));
        Assert.Equal(content.Length, FileStatus.Of(_temp["t/empty"]).Size);
        Assert.InRange(FileStatus.Of(_temp["t/sparse"]).AllocatedBytes, 1, 1 << 20);
        Assert.Equal(0, FileStatus.Of(_temp["t/empty"]).AllocatedBytes);
    }

    [Fact]
    public async Task A_hundred_thousand_small_files_go_through_in_seconds()
    {
        const int count = 100_000;
        using var memory = new TempDir("/dev/shm"); // the agent's speed, not the disk's
        using var tar = new MemoryStream();
        var writer = new TarWriter(tar);
        for (var i = 0; i < count; i++)
        {
            Add(writer, $"d{i / 1000}/f{i}", content: "some small content");
        }

        writer.Finish();
        tar.Position = 0;
        await using var files = await Open();
        var begin = TimeProvider.System.GetTimestamp();
        await files.UnpackAsync(memory["many"], null, tar, false, default);
        var unpack = TimeProvider.System.GetElapsedTime(begin);
        Assert.Equal(1000, Directory.GetFiles(memory["many/d99"]).Length);
        begin = TimeProvider.System.GetTimestamp();
        await files.PackAsync(memory["many"], null, null, Stream.Null, default);
        var pack = TimeProvider.System.GetElapsedTime(begin);
        TestContext.Current.SendDiagnosticMessage($"{count} files: in {unpack.TotalSeconds:F1} s, out {pack.TotalSeconds:F1} s");
        Assert.InRange(unpack.TotalSeconds + pack.TotalSeconds, 0, 60);
    }

    private static void Add(TarWriter writer, string name, string content, int mode = 0x1A4, uint uid = 0)
    {
        writer.Add(new TarEntry { Name = name, Type = TarEntryType.File, Mode = mode, Uid = uid, Gid = uid, Size = content.Length, ModifiedUnixNs = 1_700_000_000_000_000_000 });
        writer.Content(Encoding.UTF8.GetBytes(content));
    }

    private static MemoryStream Tar(Action<TarWriter> fill)
    {
        var stream = new MemoryStream();
        var writer = new TarWriter(stream);
        fill(writer);
        writer.Finish();
        stream.Position = 0;
        return stream;
    }

    private static List<string> NamesIn(MemoryStream tar)
    {
        tar.Position = 0;
        var reader = new TarReader(tar);
        List<string> names = [];
        while (reader.Next() is { } entry)
        {
            names.Add(entry.Name);
        }

        names.Sort(StringComparer.Ordinal);
        return names;
    }

    private async Task<FilesClient> Open() => new(await _guest.ConnectAsync(GuestPort.Files));
}
