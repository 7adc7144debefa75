using System.Text.Json;
using Vivarium.Cli.Copy;
using Vivarium.Cli.Streams;
using Vivarium.Linux.Tar;

namespace Vivarium.Cli.Tests;

/// <summary>cp against a scripted files port: which folder is asked for, and what the archive holds.</summary>
public sealed class CopyTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("src", "/work", true, "/work", "src,src/a")]
    [InlineData("src", "/new", false, "/", "new,new/a")]
    [InlineData("src/.", "/work", true, "/work", "a")]
    [InlineData("src/a", "/work", true, "/work", "a")]
    [InlineData("src/a", "/work/", false, "/work/", "a")]
    [InlineData("src/a", "/work/b", false, "/work", "b")]
    [InlineData("src/a", "/b", false, "/", "b")]
    [InlineData("src/a", "b", false, ".", "b")]
    public void In(string source, string target, bool targetIsFolder, string folder, string names)
    {
        _directory.Write("src/a", "content");
        FileRequestSeen? seen = null;
        using var daemon = new FakeDaemon
        {
            Stream = stream =>
            {
                stream.ReadLine();
                stream.Write(targetIsFolder
                    ? """{"entry":{"name":"w","path":"/w","type":"dir","size":0,"mode":493,"uid":0,"gid":0,"modified_unix_ns":0},"truncated":false,"content":false}""" + "\n"
                    : """{"error":{"code":"not_found","message":"no"},"truncated":false,"content":false}""" + "\n");
                seen = FileRequestSeen.Of(stream.ReadLine()!, stream.ReadChunks());
                stream.Write("{\"truncated\":false,\"content\":false,\"bytes\":1}\n");
            },
        };
        var run = CliRun.Of(daemon, ["cp", $"{_directory.Path}/{source}", $"quiet-fox:{target}"]);
        Assert.Equal((0, "", ""), (run.Code, run.Output, run.Errors));
        Assert.Equal(new FileRequestSeen("archive_in", folder, names), seen);
    }

    [Fact]
    public void A_refusal_in_the_middle_of_content_is_heard()
    {
        _directory.Write("src/big", new string('x', 20_000_000));
        using var daemon = new FakeDaemon
        {
            Stream = stream =>
            {
                stream.ReadLine();
                stream.Write("""{"error":{"code":"not_found","message":"no"},"truncated":false,"content":false}""" + "\n");
                stream.ReadLine();
                stream.Write("""{"error":{"code":"resource_exhausted","message":"the disk is full"},"truncated":false,"content":false}""" + "\n");
                stream.ReadLine();
            },
        };
        var run = CliRun.Of(daemon, ["cp", $"{_directory.Path}/src", "quiet-fox:/x"]);
        Assert.Equal((125, "error: the disk is full (resource_exhausted)\n"), (run.Code, run.Errors));
    }

    [Fact]
    public void A_tar_stream_goes_through_as_it_is()
    {
        byte[]? content = null;
        using var daemon = new FakeDaemon
        {
            Stream = stream =>
            {
                stream.ReadLine();
                content = stream.ReadChunks();
                stream.Write("{\"truncated\":false,\"content\":false}\n");
            },
        };
        Assert.Equal(0, CliRun.Of(daemon, ["cp", "-", "quiet-fox:/x"], "not really tar").Code);
        Assert.Equal("not really tar"u8.ToArray(), content);
    }

    [Theory]
    [InlineData("quiet-fox:/data/tree", "here", "here/tree/leaf")]
    [InlineData("quiet-fox:/data/tree", "fresh", "fresh/leaf")]
    [InlineData("quiet-fox:/data/tree/.", "here", "here/leaf")]
    public void Out(string source, string target, string expected)
    {
        Directory.CreateDirectory(_directory["here"]);
        using var daemon = new FakeDaemon
        {
            Stream = stream =>
            {
                stream.ReadLine();
                stream.Write("""{"entry":{"name":"tree","path":"/data/tree","type":"dir","size":0,"mode":493,"uid":0,"gid":0,"modified_unix_ns":0},"truncated":false,"content":false}""" + "\n");
                using var request = JsonDocument.Parse(stream.ReadLine()!);
                var whole = request.RootElement.TryGetProperty("paths", out _);
                var archive = new MemoryStream();
                var tar = new TarWriter(archive);
                tar.Add(new TarEntry { Name = whole ? "tree" : ".", Type = TarEntryType.Directory, Mode = 0x1ED });
                tar.Add(new TarEntry { Name = whole ? "tree/leaf" : "leaf", Type = TarEntryType.File, Mode = 0x1A4, Size = 2 });
                tar.Content("ok"u8);
                tar.Finish();
                stream.Write("{\"truncated\":false,\"content\":true}\n");
                stream.WriteChunk(archive.ToArray());
                stream.WriteChunk([]);
                stream.Write("{\"truncated\":false,\"content\":false,\"bytes\":1}\n");
            },
        };
        var run = CliRun.Of(daemon, ["cp", source, _directory[target]]);
        Assert.Equal((0, "", ""), (run.Code, run.Output, run.Errors));
        Assert.Equal("ok", File.ReadAllText(_directory[expected]));
    }

    [Theory]
    [InlineData("box:/a/b", "box", "/a/b", "b")]
    [InlineData("box:", "box", ".", "")]
    [InlineData("./na:me", null, "./na:me", "na:me")]
    [InlineData("/abs/x:y", null, "/abs/x:y", "x:y")]
    [InlineData("dir/", null, "dir/", "dir")]
    [InlineData("dir/.", null, "dir/.", "")]
    [InlineData("..", null, "..", "")]
    public void Paths(string text, string? sandbox, string path, string leaf)
    {
        var parsed = CopyPath.Parse(text);
        Assert.Equal((sandbox, path, leaf), (parsed.Sandbox, parsed.Path, parsed.Leaf));
    }

    [Theory]
    [InlineData("abc", "abc", false)]
    [InlineData("a\u0010b", "a\u0010b", false)]
    [InlineData("a\u0010\u0010b", "a\u0010\u0010b", false)]
    [InlineData("a\u0010\u0011b", "a", true)]
    [InlineData("\u0011", "\u0011", false)]
    public void Detach_keys(string typed, string passed, bool detached)
    {
        // Byte by byte and all at once give the same.
        foreach (var size in new[] { 1, typed.Length })
        {
            var keys = new DetachKeys();
            var output = "";
            var detach = false;
            foreach (var piece in typed.Chunk(size))
            {
                var target = new byte[piece.Length + 1];
                var (length, found) = keys.Filter(piece.Select(c => (byte)c).ToArray(), target);
                output += string.Concat(target.Take(length).Select(b => (char)b));
                if (found)
                {
                    detach = true;
                    break;
                }
            }

            Assert.Equal((passed, detached), (output, detach));
        }
    }

    private sealed record FileRequestSeen(string Op, string Path, string Names)
    {
        public static FileRequestSeen Of(string line, byte[] archive)
        {
            using var request = JsonDocument.Parse(line);
            var stream = new MemoryStream(archive);
            var tar = new TarReader(stream);
            var names = new List<string>();
            while (tar.Next() is { } entry)
            {
                names.Add(entry.Name);
            }

            return new FileRequestSeen(request.RootElement.GetProperty("op").GetString()!, request.RootElement.GetProperty("path").GetString()!, string.Join(',', names));
        }
    }
}
