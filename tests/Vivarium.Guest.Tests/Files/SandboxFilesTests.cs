using System.Text;
using Vivarium.Guest.Tests.Harness;
using Vivarium.Linux.Tar;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests.Files;

/// <summary>The files port inside real sandboxes: what differs between kernels is rights, links and watches.</summary>
public abstract class SandboxFilesTests(string engine) : IAsyncLifetime
{
    private SandboxFixture _sandbox = null!;

    public async ValueTask InitializeAsync() => _sandbox = await SandboxFixture.StartAsync(engine);

    public ValueTask DisposeAsync() => _sandbox.DisposeAsync();

    [Fact]
    public async Task Users_have_their_own_rights_and_no_more()
    {
        await using var files = await Open();
        var mine = (await files.WriteFileAsync("~/mine", "user", Text("mine"), null, false, default)).Entry!;
        Assert.Equal(("/home/user/mine", 1000, 1000, "user", "user"), (mine.Path, mine.Uid, mine.Gid, mine.User, mine.Group));
        await files.WriteFileAsync("/root/secret", "root", Text("secret"), 0x180, false, default);
        await files.CallAsync(new FileRequest { Op = "chmod", Path = "/root", User = "root", Mode = 0x1ED }, default);
        Assert.Equal(ErrorCode.PermissionDenied, (await Assert.ThrowsAsync<VivariumException>(() => files.ReadFileAsync("/root/secret", "user", Stream.Null, default))).Code);
        Assert.Equal(ErrorCode.PermissionDenied, (await Assert.ThrowsAsync<VivariumException>(() => files.WriteFileAsync("/etc/new", "user", Text("x"), null, false, default))).Code);
        Assert.Equal(ErrorCode.PermissionDenied, (await Assert.ThrowsAsync<VivariumException>(() => files.RemoveAsync("/etc/passwd", "user", false, default))).Code);
        Assert.Equal(ErrorCode.PermissionDenied, (await Assert.ThrowsAsync<VivariumException>(
            () => files.CallAsync(new FileRequest { Op = "chown", Path = "/home/user/mine", User = "user", Owner = "root" }, default))).Code);
        await files.CallAsync(new FileRequest { Op = "chmod", Path = "/root", User = "root", Mode = 0x1C0 }, default);
        await files.ReadFileAsync("/root/secret", "root", Stream.Null, default);
    }

    [Fact]
    public async Task Archives_go_in_and_come_out_as_the_user()
    {
        await using var files = await Open();
        var tar = new MemoryStream();
        var writer = new TarWriter(tar);
        writer.Add(new TarEntry { Name = "d", Type = TarEntryType.Directory, Mode = 0x1ED, ModifiedUnixNs = 1_500_000_000_000_000_000 });
        writer.Add(new TarEntry { Name = "d/f", Type = TarEntryType.File, Mode = 0x1ED, Size = 5, ModifiedUnixNs = 1_600_000_000_123_456_789 });
        writer.Content("hello"u8);
        writer.Add(new TarEntry { Name = "d/h", Type = TarEntryType.HardLink, Target = "d/f" });
        writer.Add(new TarEntry { Name = "d/l", Type = TarEntryType.SymbolicLink, Target = "f" });
        writer.Finish();
        tar.Position = 0;
        await files.UnpackAsync("tree", "user", tar, keepOwners: false, default);
        var entry = await files.StatAsync("~/tree/d/h", "user", true, default);
        Assert.Equal((5L, 0x1ED, 1000), (entry.Size, entry.Mode, entry.Uid));
        Assert.InRange(entry.ModifiedUnixNs, 1_600_000_000_000_000_000, 1_600_000_000_123_456_789);

        using var back = new MemoryStream();
        await files.PackAsync("tree", "user", null, back, default);
        back.Position = 0;
        var reader = new TarReader(back);
        List<(string, TarEntryType, string)> found = [];
        while (reader.Next() is { } e)
        {
            found.Add((e.Name, e.Type, e.Target));
        }

        Assert.Equal(4, found.Count);
        Assert.Contains(("d", TarEntryType.Directory, ""), found);
        Assert.Contains(("d/l", TarEntryType.SymbolicLink, "f"), found);
        Assert.Single(found, f => f.Item2 == TarEntryType.HardLink);
    }

    [Fact]
    public async Task No_link_in_an_archive_leads_outside()
    {
        await using var files = await Open();
        var tar = new MemoryStream();
        var writer = new TarWriter(tar);
        writer.Add(new TarEntry { Name = "l", Type = TarEntryType.SymbolicLink, Target = "/etc" });
        writer.Add(new TarEntry { Name = "l/passwd", Type = TarEntryType.File, Size = 1 });
        writer.Content("x"u8);
        writer.Finish();
        tar.Position = 0;
        var error = await Assert.ThrowsAsync<VivariumException>(() => files.UnpackAsync("/tmp/t", "root", tar, false, default));
        Assert.Equal(ErrorCode.InvalidArgument, error.Code);
        await using var again = await Open();
        Assert.NotEqual(1, (await again.StatAsync("/etc/passwd", null, false, default)).Size);
    }

    [Fact]
    public async Task Changes_are_seen()
    {
        await using var files = await Open();
        await files.MakeDirectoryAsync("/tmp/w", null, false, default);
        await using var watcher = await Open();
        using var stop = new CancellationTokenSource(GuestInstance.Deadline);
        var events = watcher.WatchAsync("/tmp/w", null, recursive: true, stop.Token).GetAsyncEnumerator(stop.Token);
        var next = events.MoveNextAsync().AsTask();
        for (var i = 0; !next.IsCompleted; i++)
        {
            await files.WriteFileAsync($"/tmp/w/n{i}", null, Text("x"), null, false, stop.Token);
            await Task.WhenAny(next, Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, stop.Token));
        }

        Assert.True(await next);
        await files.RemoveAsync("/tmp/w/n0", null, false, default);
        while (events.Current.Type != "remove")
        {
            Assert.True(await events.MoveNextAsync());
        }

        Assert.Equal("n0", events.Current.Path);
    }

    [Fact]
    public async Task Thousands_of_files_take_seconds()
    {
        const int count = 5_000;
        var tar = new MemoryStream();
        var writer = new TarWriter(tar);
        for (var i = 0; i < count; i++)
        {
            writer.Add(new TarEntry { Name = $"d{i / 500}/f{i}", Type = TarEntryType.File, Mode = 0x1A4, Size = 4 });
            writer.Content("text"u8);
        }

        writer.Finish();
        tar.Position = 0;
        await using var files = await Open();
        var begin = TimeProvider.System.GetTimestamp();
        await files.UnpackAsync("/tmp/many", null, tar, false, default);
        var unpack = TimeProvider.System.GetElapsedTime(begin);
        begin = TimeProvider.System.GetTimestamp();
        await files.PackAsync("/tmp/many", null, null, Stream.Null, default);
        var pack = TimeProvider.System.GetElapsedTime(begin);
        TestContext.Current.SendDiagnosticMessage($"{engine}: {count} files in {unpack.TotalSeconds:F2} s, out {pack.TotalSeconds:F2} s");
        Assert.InRange(unpack.TotalSeconds + pack.TotalSeconds, 0, 60);
    }

    private static MemoryStream Text(string text) => new(Encoding.UTF8.GetBytes(text));

    private async Task<FilesClient> Open() => new(await _sandbox.Guest.ConnectAsync(GuestPort.Files));
}

/// <inheritdoc/>
public sealed class RuncFilesTests() : SandboxFilesTests("runc");

/// <inheritdoc/>
public sealed class RunscFilesTests() : SandboxFilesTests("runsc");
