using System.Text;
using Vivarium.Guest.Tests.Harness;
using Vivarium.Linux.Files;
using Vivarium.Linux.Processes;
using Vivarium.TestKit;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests.Files;

/// <summary>The real agent, as the direct runtime starts it: its files are this machine's, all below a directory of the test's own.</summary>
public sealed class FilesTests : IAsyncLifetime
{
    private readonly TempDir _temp = new();
    private GuestInstance _guest = null!;

    public async ValueTask InitializeAsync()
    {
        _guest = await GuestInstance.StartDirectAsync();
        FileChanges.Chmod(_temp.Path, 0x1FF);
    }

    public async ValueTask DisposeAsync()
    {
        await _guest.DisposeAsync();
        _temp.Dispose();
    }

    [Fact]
    public async Task Content_goes_in_and_comes_back_in_ranges()
    {
        await using var files = await Open();
        var content = new byte[3_000_000];
        new Random(1).NextBytes(content);
        var reply = await files.WriteFileAsync(_temp["new/dir/file"], null, new MemoryStream(content), mode: 0x1A0, parents: true, default);
        Assert.Equal((content.Length, 0x1A0, "file"), (reply.Entry!.Size, reply.Entry.Mode, reply.Entry.Type));
        Assert.Equal(content, await File.ReadAllBytesAsync(_temp["new/dir/file"]));
        Assert.Single(Directory.GetFileSystemEntries(_temp["new/dir"])); // nothing temporary is left

        using var back = new MemoryStream();
        Assert.Equal(content.Length, await files.ReadFileAsync(_temp["new/dir/file"], null, back, default));
        Assert.Equal(content, back.ToArray());

        using var part = new MemoryStream();
        await files.ReceiveAsync(new FileRequest { Op = "read", Path = _temp["new/dir/file"], Offset = 1_000_000, Length = 5 }, part, default);
        Assert.Equal(content[1_000_000..1_000_005], part.ToArray());
    }

    [Fact]
    public async Task Writing_replaces_in_one_step_and_keeps_mode_and_owner()
    {
        var path = _temp.Write("f", "old");
        FileChanges.Chmod(path, 0x1ED);
        FileChanges.Chown(path, 1234, 1235);
        File.CreateSymbolicLink(_temp["link"], "f");
        using var reader = File.OpenText(path);
        await using var files = await Open();
        await files.WriteFileAsync(_temp["link"], null, Text("new"), null, false, default);
        Assert.Equal("old", await reader.ReadToEndAsync());
        Assert.Equal("new", await File.ReadAllTextAsync(path));
        Assert.Equal((0x1ED, 1234u), (FileStatus.Of(path).Mode, FileStatus.Of(path).Uid));
        Assert.Equal("f", new FileInfo(_temp["link"]).LinkTarget);
        await files.WriteFileAsync("/dev/null", null, Text("gone"), null, false, default);
        Assert.Equal(FileKind.CharacterDevice, FileStatus.Of("/dev/null").Kind);
    }

    [Fact]
    public async Task Every_operation_has_the_rights_of_its_user()
    {
        var secret = _temp.Write("secret", "s");
        FileChanges.Chmod(secret, 0x180);
        await using var files = await Open();
        var refused = await Assert.ThrowsAsync<VivariumException>(() => files.ReadFileAsync(secret, "65534:65534", Stream.Null, default));
        Assert.Equal(ErrorCode.PermissionDenied, refused.Code);
        Assert.Contains(secret, refused.Message);
        refused = await Assert.ThrowsAsync<VivariumException>(() => files.WriteFileAsync("/etc/viv-test", "65534", Text("x"), null, false, default));
        Assert.Equal(ErrorCode.PermissionDenied, refused.Code);

        await files.WriteFileAsync(_temp["mine"], "65534:65533", Text("x"), null, false, default);
        Assert.Equal((65534u, 65533u), (FileStatus.Of(_temp["mine"]).Uid, FileStatus.Of(_temp["mine"]).Gid));
        await files.MakeDirectoryAsync(_temp["a/b"], "65534:65533", parents: true, default);
        Assert.Equal(65534u, FileStatus.Of(_temp["a/b"]).Uid);
        await files.WriteFileAsync(_temp["roots"], "root", Text("x"), null, false, default);
        Assert.Equal(0u, FileStatus.Of(_temp["roots"]).Uid); // and the agent is itself again
        Assert.Equal(ErrorCode.NotFound, (await Assert.ThrowsAsync<VivariumException>(() => files.StatAsync("/", "no-such-user", false, default))).Code);
    }

    [Fact]
    public async Task Metadata_names_and_links_are_changed()
    {
        await using var files = await Open();
        var path = _temp.Write("f", "12345");
        await files.CallAsync(new FileRequest { Op = "chmod", Path = path, Mode = 0x9ED }, default);
        await files.CallAsync(new FileRequest { Op = "chown", Path = path, Owner = "1000:1001" }, default);
        var entry = await files.StatAsync(path, null, false, default);
        Assert.Equal(("f", path, "file", 5L, 0x1ED, 1000, 1001), (entry.Name, entry.Path, entry.Type, entry.Size, entry.Mode, entry.Uid, entry.Gid)); // chown clears set-user-id
        await files.CallAsync(new FileRequest { Op = "symlink", Path = _temp["l"], To = "f" }, default);
        Assert.Equal(("symlink", "f"), ((await files.StatAsync(_temp["l"], null, true, default)) is var l ? (l.Type, l.Target) : default));
        Assert.Equal("file", (await files.StatAsync(_temp["l"], null, false, default)).Type);

        await files.CallAsync(new FileRequest { Op = "setxattr", Path = path, Name = "user.a", Value = Convert.ToBase64String([1, 2]) }, default);
        Assert.Equal([1, 2], Convert.FromBase64String((await files.CallAsync(new FileRequest { Op = "getxattr", Path = path, Name = "user.a" }, default)).Value!));
        Assert.Equal("user.a", Encoding.UTF8.GetString(Convert.FromBase64String((await files.CallAsync(new FileRequest { Op = "listxattr", Path = path }, default)).Value!)));

        _temp.Write("g", "x");
        Assert.Equal(ErrorCode.AlreadyExists, (await Assert.ThrowsAsync<VivariumException>(() => files.MoveAsync(path, _temp["g"], null, false, default))).Code);
        await files.MoveAsync(path, _temp["g"], null, true, default);
        Assert.Equal("12345", await File.ReadAllTextAsync(_temp["g"]));

        Directory.CreateDirectory(_temp["d/e"]);
        Assert.Equal(ErrorCode.FailedPrecondition, (await Assert.ThrowsAsync<VivariumException>(() => files.RemoveAsync(_temp["d"], null, false, default))).Code);
        await files.RemoveAsync(_temp["d"], null, true, default);
        Assert.False(Directory.Exists(_temp["d"]));
        Assert.Equal(ErrorCode.NotFound, (await Assert.ThrowsAsync<VivariumException>(() => files.RemoveAsync(_temp["d"], null, true, default))).Code);
        Assert.Equal(ErrorCode.NotFound, (await Assert.ThrowsAsync<VivariumException>(() => files.ReadFileAsync(_temp["none"], null, Stream.Null, default))).Code);
        Assert.Equal(ErrorCode.FailedPrecondition, (await Assert.ThrowsAsync<VivariumException>(() => files.ReadFileAsync(_temp.Path, null, Stream.Null, default))).Code);
    }

    [Fact]
    public async Task Trees_are_listed_and_searched()
    {
        _temp.Write("a/one.txt", "first\nneedle here\nlast");
        _temp.Write("a/b/two.cs", "needle\nand needle42");
        _temp.Write("a/binary", "needle\0");
        await using var files = await Open();
        Assert.Equal(["b", "binary", "one.txt"], (await files.ListAsync(_temp["a"], null, 1, default)).Select(e => e.Name));
        Assert.Equal(["b", "two.cs", "binary", "one.txt"], (await files.ListAsync(_temp["a"], null, 2, default)).Select(e => e.Name));
        Assert.Equal(ErrorCode.FailedPrecondition, (await Assert.ThrowsAsync<VivariumException>(() => files.ListAsync(_temp["a/one.txt"], null, 1, default))).Code);

        var found = await files.CallAsync(new FileRequest { Op = "find", Path = _temp["a"], Pattern = "*.[ct]*" }, default);
        Assert.Equal([_temp["a/b/two.cs"], _temp["a/one.txt"]], found.Entries!.Select(e => e.Path));
        var grep = await files.CallAsync(new FileRequest { Op = "grep", Path = _temp["a"], Pattern = "needle" }, default);
        Assert.Equal([("two.cs", 1), ("two.cs", 2), ("one.txt", 2)], grep.Matches!.Select(m => (Path.GetFileName(m.Path), m.Line)));
        var regex = await files.CallAsync(new FileRequest { Op = "grep", Path = _temp["a"], Pattern = @"needle\d+$", Regex = true, Limit = 1 }, default);
        Assert.Equal("and needle42", Assert.Single(regex.Matches!).Text);
        var cut = await files.CallAsync(new FileRequest { Op = "grep", Path = _temp["a"], Pattern = "needle", Limit = 2 }, default);
        Assert.True(cut.Truncated);
        Assert.Equal(ErrorCode.InvalidArgument, (await Assert.ThrowsAsync<VivariumException>(() => files.CallAsync(new FileRequest { Op = "grep", Path = _temp["a"], Pattern = "(", Regex = true }, default))).Code);
    }

    [Fact]
    public async Task Changes_are_watched_below_new_directories_too()
    {
        Directory.CreateDirectory(_temp["w"]);
        await using var files = await Open();
        using var stop = new CancellationTokenSource(GuestInstance.Deadline);
        List<(string, string)> seen = [];
        var events = files.WatchAsync(_temp["w"], null, recursive: true, stop.Token).GetAsyncEnumerator(stop.Token);
        var first = events.MoveNextAsync(); // sends the request; the answer comes before any event
        async Task Until(string type, string path)
        {
            while (!seen.Contains((type, path)))
            {
                Assert.True(await first, "the watch ended early");
                seen.Add((events.Current.Type, events.Current.Path));
                first = events.MoveNextAsync();
            }
        }

        // Whatever is done before the watch stands goes unseen: nudge until the first event comes.
        var nudges = 0;
        while (!first.IsCompleted)
        {
            _temp.Write($"w/nudge{nudges++}", "");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, stop.Token);
        }

        Directory.CreateDirectory(_temp["w/x/y"]);
        await Until("create", "x/y");
        _temp.Write("w/x/y/f", "content");
        await Until("create", "x/y/f");
        await Until("write", "x/y/f");
        File.Move(_temp["w/x/y/f"], _temp["w/g"]);
        await Until("rename", "x/y/f");
        await Until("create", "g");
        FileChanges.Chmod(_temp["w/g"], 0x180);
        await Until("chmod", "g");
        File.Delete(_temp["w/g"]);
        await Until("remove", "g");
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await first);
        await events.DisposeAsync();
    }

    [Fact]
    public async Task Nonsense_is_answered_and_ends_only_its_connection()
    {
        await using (var raw = await _guest.ConnectAsync(GuestPort.Files))
        {
            await raw.WriteAsync("{nonsense\n"u8.ToArray());
            using var reader = new StreamReader(raw);
            Assert.Contains("bad_request", await reader.ReadToEndAsync().WaitAsync(GuestInstance.Deadline));
        }

        await using (var huge = await _guest.ConnectAsync(GuestPort.Files))
        {
            await huge.WriteAsync(Encoding.UTF8.GetBytes($"{{\"op\":\"write\",\"path\":\"{_temp["f"]}\"}}\n\u007f\u007f\u007f\u007f"));
            using var reader = new StreamReader(huge);
            Assert.Contains("chunk", await reader.ReadToEndAsync().WaitAsync(GuestInstance.Deadline));
        }

        Assert.False(File.Exists(_temp["f"]));
        await using var files = await Open();
        foreach (var request in new FileRequest[]
        {
            new() { Op = "frobnicate", Path = "/" }, new() { Op = "stat", Path = "" }, new() { Op = "stat", Path = "/a\0b" }, new() { Op = "chmod", Path = _temp.Path, Mode = 99999 },
            new() { Op = "read", Path = "/etc/passwd", Offset = -1 }, new() { Op = "remove", Path = "/", Recursive = true }, new() { Op = "setxattr", Path = _temp.Path, Name = "user.a", Value = "%" },
        })
        {
            var error = await Assert.ThrowsAsync<VivariumException>(() => files.CallAsync(request, default));
            Assert.True(error.Code is ErrorCode.InvalidArgument or ErrorCode.Unimplemented, error.Message);
        }
    }

    [Fact]
    public async Task A_write_that_is_refused_says_so_early_and_the_connection_goes_on()
    {
        await using var files = await Open();
        var error = await Assert.ThrowsAsync<VivariumException>(() => files.WriteFileAsync(_temp["no/such/dir"], null, new MemoryStream(new byte[100_000]), null, false, default));
        Assert.Equal(ErrorCode.NotFound, error.Code);
        Assert.Equal("dir", (await files.StatAsync(_temp.Path, null, false, default)).Type);
    }

    [Fact]
    public async Task Bulk_content_keeps_up_with_cp()
    {
        const int bytes = 256 << 20;
        await using var files = await Open();
        await using (var big = File.Create(_temp["big"]))
        {
            var piece = new byte[1 << 20];
            new Random(2).NextBytes(piece);
            for (var i = 0; i < bytes >> 20; i++)
            {
                await big.WriteAsync(piece);
            }
        }

        var begin = TimeProvider.System.GetTimestamp();
        Assert.True((await ChildRun.RunAsync("cp", [_temp["big"], _temp["copy"]], null, default)).Succeeded);
        var cp = TimeProvider.System.GetElapsedTime(begin);
        begin = TimeProvider.System.GetTimestamp();
        await using (var source = File.OpenRead(_temp["big"]))
        {
            await files.WriteFileAsync(_temp["in"], null, source, null, false, default);
        }

        var write = TimeProvider.System.GetElapsedTime(begin);
        begin = TimeProvider.System.GetTimestamp();
        await files.ReadFileAsync(_temp["in"], null, Stream.Null, default);
        var read = TimeProvider.System.GetElapsedTime(begin);
        TestContext.Current.SendDiagnosticMessage($"256 MiB: cp {cp.TotalMilliseconds:F0} ms, write {write.TotalMilliseconds:F0} ms, read {read.TotalMilliseconds:F0} ms");
        Assert.InRange(write.TotalSeconds + read.TotalSeconds, 0, 20);
    }

    private static MemoryStream Text(string text) => new(Encoding.UTF8.GetBytes(text));

    private async Task<FilesClient> Open() => new(await _guest.ConnectAsync(GuestPort.Files));
}
