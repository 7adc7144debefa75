using System.Formats.Tar;
using System.Text;
using Vivarium.Cli.Copy;
using Vivarium.Cli.Output;
using Vivarium.Linux.Files;
using Vivarium.Wire.Errors;
using Kind = Vivarium.Linux.Tar.TarEntryType;
using TarEntry = Vivarium.Linux.Tar.TarEntry;
using TarReader = Vivarium.Linux.Tar.TarReader;
using TarText = Vivarium.Linux.Tar.TarText;
using TarWriter = Vivarium.Linux.Tar.TarWriter;

namespace Vivarium.Cli.Tests;

public sealed class TarTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_folder_comes_back_with_modes_times_and_links()
    {
        var source = Folder();
        var target = Unpack(Pack(source, ""));
        Assert.Equal(Listing(source), Listing(target));
        Assert.Equal(FileStatus.Of(Path.Combine(target, "hard-a")).Inode, FileStatus.Of(Path.Combine(target, "hard-b")).Inode);
    }

    [Fact]
    public void What_we_write_others_read()
    {
        var source = Folder();
        using var stream = new MemoryStream(Pack(source, "top"));
        using var reader = new System.Formats.Tar.TarReader(stream);
        var names = new List<string>();
        while (reader.GetNextEntry() is { } entry)
        {
            names.Add(entry.Name.TrimEnd('/'));
            if (entry.Name == "top/file")
            {
                Assert.Equal((UnixFileMode)Convert.ToInt32("640", 8), entry.Mode);
                Assert.Equal("hello", new StreamReader(entry.DataStream!).ReadToEnd());
            }
        }

        Assert.Equal(Directory.EnumerateFileSystemEntries(source, "*", SearchOption.AllDirectories).Select(path => "top/" + Path.GetRelativePath(source, path)).Prepend("top").Order(StringComparer.Ordinal), names.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(TarEntryFormat.Ustar)]
    [InlineData(TarEntryFormat.Pax)]
    [InlineData(TarEntryFormat.Gnu)]
    [InlineData(TarEntryFormat.V7)]
    public void What_others_write_we_read(TarEntryFormat format)
    {
        var name = format is TarEntryFormat.Pax or TarEntryFormat.Gnu ? string.Join('/', Enumerable.Repeat("a-long-part-of-a-name", 12)) : "short/name";
        using var stream = new MemoryStream();
        using (var writer = new System.Formats.Tar.TarWriter(stream, format, leaveOpen: true))
        {
            System.Formats.Tar.TarEntry entry = format switch
            {
                TarEntryFormat.Ustar => new UstarTarEntry(TarEntryType.RegularFile, name),
                TarEntryFormat.Pax => new PaxTarEntry(TarEntryType.RegularFile, name),
                TarEntryFormat.Gnu => new GnuTarEntry(TarEntryType.RegularFile, name),
                _ => new V7TarEntry(TarEntryType.V7RegularFile, name),
            };
            entry.Mode = (UnixFileMode)Convert.ToInt32("751", 8);
            entry.ModificationTime = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_000);
            entry.DataStream = new MemoryStream("content"u8.ToArray());
            writer.WriteEntry(entry);
        }

        var target = Unpack(stream.ToArray());
        var status = FileStatus.Of(Path.Combine(target, name));
        Assert.Equal((Convert.ToInt32("751", 8), 1_700_000_000_000_000_000L), (status.Mode, status.ModifiedUnixNs));
        Assert.Equal("content", File.ReadAllText(Path.Combine(target, name)));
    }

    [Theory]
    [InlineData("../escaped")]
    [InlineData("a/../../escaped")]
    [InlineData("/../escaped")]
    public void A_name_that_leads_outside_is_refused(string name)
    {
        var error = Assert.Throws<VivariumException>(() => Unpack(Archive(File_(name, "x"))));
        Assert.Equal("path_escape", error.Reason);
        Assert.False(File.Exists(_directory["escaped"]));
    }

    [Fact]
    public void An_absolute_name_lands_below_the_target() =>
        Assert.Equal("x", File.ReadAllText(Path.Combine(Unpack(Archive(File_("/etc/thing", "x"))), "etc/thing")));

    [Fact]
    public void A_link_planted_first_is_replaced_and_not_followed()
    {
        var outside = Directory.CreateDirectory(_directory["outside"]).FullName;
        _directory.Write("outside/victim", "safe");
        var target = Unpack(Archive(
            (Link("dir", outside), ""),
            File_("dir/planted", "x"),
            (Link("file", Path.Combine(outside, "victim")), ""),
            File_("file", "y")));
        Assert.Equal(["victim"], Directory.GetFileSystemEntries(outside).Select(Path.GetFileName));
        Assert.Equal("safe", File.ReadAllText(Path.Combine(outside, "victim")));
        Assert.Equal("x", File.ReadAllText(Path.Combine(target, "dir/planted")));
        Assert.Equal("y", File.ReadAllText(Path.Combine(target, "file")));
    }

    [Fact]
    public void A_hard_link_to_something_outside_is_refused()
    {
        _directory.Write("secret", "s");
        Assert.ThrowsAny<VivariumException>(() => Unpack(Archive((new TarEntry { Name = "l", Type = Kind.HardLink, Mode = 0, Target = "../secret" }, ""))));
        Assert.ThrowsAny<VivariumException>(() => Unpack(Archive((Link("d", ".."), ""), (new TarEntry { Name = "l", Type = Kind.HardLink, Mode = 0, Target = "d/secret" }, ""))));
    }

    [Fact]
    public void Set_user_id_bits_are_dropped_and_devices_left_out()
    {
        var target = Unpack(Archive(
            (new TarEntry { Name = "su", Type = Kind.File, Mode = Convert.ToInt32("6755", 8), Size = 1 }, "x"),
            (new TarEntry { Name = "null", Type = Kind.CharacterDevice, Mode = Convert.ToInt32("666", 8) }, ""),
            File_("after", "z")));
        Assert.Equal(Convert.ToInt32("755", 8), FileStatus.Of(Path.Combine(target, "su")).Mode);
        Assert.Equal(["after", "su"], Directory.GetFileSystemEntries(target).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Damaged_archives_end_in_an_error_and_nothing_else()
    {
        var good = Pack(Folder(), "");
        var random = new Random(3);
        for (var round = 0; round < 400; round++)
        {
            var bad = good.ToArray();
            for (var i = random.Next(1, 6); i > 0; i--)
            {
                bad[random.Next(bad.Length)] = (byte)random.Next(256);
            }

            var length = random.Next(3) == 0 ? random.Next(bad.Length) : bad.Length;
            try
            {
                Unpack(bad[..length]);
            }
            catch (VivariumException)
            {
                // Refused, as it should be; anything else fails the test.
            }
        }

        Assert.Equal(["source"], Directory.GetDirectories(_directory.Path).Select(Path.GetFileName).Where(name => !name!.StartsWith("target", StringComparison.Ordinal)));
    }

    private string Folder()
    {
        if (Directory.Exists(_directory["source"]))
        {
            return _directory["source"];
        }

        FileChanges.Chmod(_directory.Write("source/file", "hello"), Convert.ToInt32("640", 8));
        _directory.Write("source/empty", "");
        _directory.Write("source/big", new string('b', 1_000_003));
        _directory.Write("source/" + string.Join('/', Enumerable.Repeat("a-rather-long-folder-name", 8)) + "/leaf", "deep");
        _directory.Write("source/ünïcode ✓ name", "u");
        _directory.Write("source/hard-a", "linked");
        FileChanges.HardLink(_directory["source/hard-a"], _directory["source/hard-b"]);
        File.CreateSymbolicLink(_directory["source/link"], "file");
        File.CreateSymbolicLink(_directory["source/dangling"], new string('x', 200));
        Directory.CreateDirectory(_directory["source/locked"]);
        FileChanges.MakeNode(_directory["source/pipe"], FileKind.Fifo, Convert.ToInt32("600", 8));
        FileChanges.SetModified(_directory["source/file"], 1_234_567_890_123_456_789);
        FileChanges.SetModified(_directory["source/empty"], 0);
        FileChanges.SetModified(_directory["source/link"], 1_000_000_000_000_000_000);
        FileChanges.SetModified(_directory["source/locked"], 987_654_321_000_000_001);
        FileChanges.Chmod(_directory["source/locked"], Convert.ToInt32("500", 8));
        return _directory["source"];
    }

    /// <summary>Name, kind, mode, size, time, link target, content of everything.</summary>
    private static string[] Listing(string root) => [.. Directory.EnumerateFileSystemEntries(root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(path =>
    {
        var status = FileStatus.Of(path, follow: false);
        var content = status.Kind == FileKind.Regular ? File.ReadAllText(path) : "";
        var size = status.Kind == FileKind.Directory ? 0 : status.Size;
        return $"{Path.GetRelativePath(root, path)} {status.Kind} {status.Mode} {size} {status.ModifiedUnixNs} {new FileInfo(path).LinkTarget} {content.Length} {content.GetHashCode(StringComparison.Ordinal)}";
    })];

    private static byte[] Pack(string path, string name)
    {
        var stream = new MemoryStream();
        var tar = new TarWriter(stream);
        new FolderPacker(tar, Count(), new TextOut(2)).Add(path, name);
        tar.Finish();
        return stream.ToArray();
    }

    private string Unpack(byte[] archive)
    {
        var target = Directory.CreateDirectory(_directory[$"target-{Guid.NewGuid():n}"]).FullName;
        var stream = new MemoryStream(archive);
        using var unpacker = new FolderUnpacker(target, keepOwners: false, Count(), new TextOut(2));
        unpacker.Unpack(new TarReader(stream), name => name);
        return target;
    }

    private static byte[] Archive(params (TarEntry Entry, string Content)[] entries)
    {
        var stream = new MemoryStream();
        var tar = new TarWriter(stream);
        foreach (var (entry, content) in entries)
        {
            tar.Add(entry);
            tar.Content(Encoding.UTF8.GetBytes(content));
        }

        tar.Finish();
        return stream.ToArray();
    }

    private static (TarEntry Entry, string Content) File_(string name, string content) =>
        (new TarEntry { Name = name, Type = Kind.File, Mode = Convert.ToInt32("644", 8), Size = content.Length }, content);

    private static TarEntry Link(string name, string target) => new() { Name = name, Type = Kind.SymbolicLink, Mode = 0, Target = TarText.ToBytes(target) };

    private static CopyCount Count() => new(new Progress(new TextOut(2), "", quiet: true), "");
}
