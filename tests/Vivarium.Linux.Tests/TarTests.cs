using Vivarium.Linux.Processes;
using Vivarium.Linux.Tar;
using Vivarium.TestKit;

namespace Vivarium.Linux.Tests;

public sealed class TarTests : IDisposable
{
    private readonly TempDir temp = new();

    public void Dispose() => temp.Dispose();

    [Fact]
    public async Task What_tar_writes_is_read()
    {
        temp.Write("in/plain", "content");
        temp.Write("in/" + new string('d', 90) + "/" + new string('f', 90), "long");
        File.CreateSymbolicLink(temp["in/link"], new string('t', 150));
        foreach (var format in new[] { "pax", "gnu", "ustar" })
        {
            var exclude = format == "ustar" ? "--exclude=link" : "--exclude=none";
            var tar = await ChildRun.RunAsync("tar", ["-C", temp["in"], "--format=" + format, exclude, "-cf", temp["a.tar"], "."], null, default);
            Assert.True(tar.Succeeded, tar.Summary);
            var found = Read(temp["a.tar"]);
            Assert.Equal("content", found["./plain"].Content);
            Assert.Equal("long", found[$"./{new string('d', 90)}/{new string('f', 90)}"].Content);
            Assert.Equal(TarEntryType.Directory, found["."].Entry.Type);
            if (format != "ustar")
            {
                Assert.Equal(new string('t', 150), found["./link"].Entry.Target);
            }
        }
    }

    [Fact]
    public async Task What_is_written_tar_reads()
    {
        using (var file = File.Create(temp["b.tar"]))
        {
            var writer = new TarWriter(file);
            writer.Add(new TarEntry { Name = "dir", Type = TarEntryType.Directory, Mode = 0x1ED, ModifiedUnixNs = 1_000_000_000 });
            writer.Add(new TarEntry { Name = "dir/" + new string('x', 200), Type = TarEntryType.File, Mode = 0x9ED, Uid = 3_000_000, Gid = 5, Size = 5, ModifiedUnixNs = 1_700_000_000_123_456_789 });
            writer.Content("hello and more"u8);
            writer.Add(new TarEntry { Name = "short", Type = TarEntryType.File, Size = 1000 }); // shrank to nothing
            writer.Add(new TarEntry { Name = TarText.ToBytes("ä\u00ff"), Type = TarEntryType.SymbolicLink, Target = "dir" });
            writer.Finish();
        }

        var list = await ChildRun.RunAsync("tar", ["--full-time", "--numeric-owner", "-tvf", temp["b.tar"]], null, default);
        Assert.True(list.Succeeded, list.Summary);
        Assert.Matches("-rwsr-xr-x 3000000/5 +5 2023-11-14 22:13:20.123456789 dir/x{200}\n", list.StdoutText);
        Assert.Contains("-> dir", list.StdoutText);
        var back = Read(temp["b.tar"]);
        Assert.Equal("hello", back["dir/" + new string('x', 200)].Content);
        Assert.Equal(1_700_000_000_123_456_789, back["dir/" + new string('x', 200)].Entry.ModifiedUnixNs);
        Assert.Equal(1000, back["short"].Content.Length);
        Assert.Equal("ä\u00ff", TarText.FromBytes(back.Keys.Last()));
    }

    [Fact]
    public void Attributes_and_odd_times_survive()
    {
        using var stream = new MemoryStream();
        var writer = new TarWriter(stream);
        var entry = new TarEntry { Name = "f", Type = TarEntryType.File, ModifiedUnixNs = -1_500_000_000 };
        entry.Attributes.Add(("user.a", [0, 10, 255, (byte)'=']));
        writer.Add(entry);
        writer.Finish();
        stream.Position = 0;
        var back = new TarReader(stream).Next()!;
        Assert.Equal(-1_500_000_000, back.ModifiedUnixNs);
        Assert.Equal("user.a", back.Attributes[0].Name);
        Assert.Equal([0, 10, 255, (byte)'='], back.Attributes[0].Value);
    }

    [Fact]
    public void A_damaged_archive_is_refused_and_does_no_harm()
    {
        using var stream = new MemoryStream();
        var writer = new TarWriter(stream);
        var entry = new TarEntry { Name = new string('n', 120), Type = TarEntryType.File, Size = 700, ModifiedUnixNs = 1 };
        entry.Attributes.Add(("user.a", [1]));
        writer.Add(entry);
        writer.Content(new byte[700]);
        writer.Add(new TarEntry { Name = "l", Type = TarEntryType.HardLink, Target = "n" });
        writer.Finish();
        Fuzz.Bytes(
            [stream.ToArray()],
            bytes =>
            {
                var reader = new TarReader(new MemoryStream(bytes));
                var buffer = new byte[4096];
                while (reader.Next() is not null)
                {
                    while (reader.Content(buffer) > 0)
                    {
                    }
                }
            },
            e => e is InvalidDataException or EndOfStreamException);
    }

    private static Dictionary<string, (TarEntry Entry, string Content)> Read(string path)
    {
        using var file = File.OpenRead(path);
        var reader = new TarReader(file);
        Dictionary<string, (TarEntry, string)> found = [];
        while (reader.Next() is { } entry)
        {
            var content = new byte[entry.Size];
            for (var at = 0; at < content.Length;)
            {
                at += reader.Content(content.AsSpan(at));
            }

            found[entry.Name] = (entry, System.Text.Encoding.UTF8.GetString(content));
        }

        return found;
    }
}
