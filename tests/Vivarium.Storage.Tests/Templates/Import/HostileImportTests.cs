using System.IO.Compression;
using System.Text;
using Vivarium.Linux.Tar;
using Vivarium.Templates.Import;
using Vivarium.Wire.Errors;

namespace Vivarium.Storage.Tests.Templates.Import;

/// <summary>Archives and images that lie, reach out, are cut off or broken: refused precisely, and nothing is left or written elsewhere.</summary>
public sealed class HostileImportTests(ImportFixture fixture) : IClassFixture<ImportFixture>
{
    private static readonly Dictionary<string, TarEntry[]> Tricks = new()
    {
        ["absolute"] = [File("/etc/evil")],
        ["parents"] = [File("a/../../evil")],
        ["link as a directory"] = [Link("out", "/tmp"), File("out/evil")],
        ["link, then a directory of its name"] = [Link("out", "/tmp"), Directory("out"), File("out/evil")],
        ["file as a directory"] = [File("a"), File("a/b")],
        ["twice"] = [File("a"), File("a")],
        ["directory, then a file of its name"] = [File("a/b"), File("a")],
        ["hard link to outside"] = [HardLink("a", "../../etc/passwd")],
        ["hard link to an absolute name"] = [HardLink("a", "/etc/passwd")],
        ["hard link through a link"] = [Link("out", "/etc"), HardLink("a", "out/passwd")],
        ["hard link to nothing"] = [HardLink("a", "b")],
        ["hard link to a directory"] = [Directory("d"), HardLink("a", "d")],
        ["hard link to itself"] = [File("a"), HardLink("a", "a")],
        ["root as a link"] = [Link(".", "/etc")],
        ["link without a target"] = [Link("a", "")],
        ["too deep"] = [File(string.Join('/', Enumerable.Repeat("d", 300)))],
        ["too long"] = [File(new string('n', 300))],
        ["zero in a name"] = [File(new string('n', 120) + "\0evil")],
    };

    private static readonly Dictionary<string, TarEntry[]> LayerTricks = new()
    {
        ["whiteout of the parent"] = [File("a/.wh...")],
        ["whiteout of itself"] = [File("a/.wh..")],
        ["whiteout of nothing"] = [File("a/.wh.")],
        ["below a whiteout"] = [File("a/.wh.b/c")],
        ["whiteout through a link"] = [Link("out", "/tmp"), File("out/.wh.evil")],
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> AllTricks => [.. Tricks.Keys];

    [Theory]
    [MemberData(nameof(AllTricks))]
    public async Task Path_tricks_are_refused(string trick) => await RefusedAsync(Tar(Tricks[trick]), "unsafe_entry");

    [Fact]
    public void Whiteout_tricks_are_refused_and_devices_left_out()
    {
        foreach (var (trick, entries) in LayerTricks)
        {
            Assert.Equal((trick, "unsafe_entry"), (trick, Assert.Throws<VivariumException>(() => Unpack(entries)).Reason));
        }

        var notes = Unpack([new TarEntry { Name = "dev/null", Type = TarEntryType.CharacterDevice, Device = (1, 3) }, HardLink("dev/zero", "dev/null"), WithAttribute("f", "security.selinux")]);
        Assert.Equal(["left out: 2 device nodes (a sandbox has its own /dev)", "left out: 1 extended attributes 'security.selinux'"], notes.Warnings());
    }

    [Fact]
    public async Task Archives_that_are_cut_off_or_broken_are_refused()
    {
        var whole = Tar([File("a", 5000), File("b", 70000)]);
        await RefusedAsync(whole[..3000], "damaged");
        await RefusedAsync(whole[..(512 + 5120)], "damaged"); // between two entries
        await RefusedAsync(Gzip(whole)[..^12], "damaged");
        var flipped = Gzip(whole);
        flipped[^6] ^= 1;
        await RefusedAsync(flipped, "damaged");
        await RefusedAsync([], "bad_image");
        await RefusedAsync(new byte[10240], "bad_image");
        await RefusedAsync(Encoding.ASCII.GetBytes(new string('x', 4000)), "bad_image");
        await RefusedAsync([0x28, 0xB5, 0x2F, 0xFD, 1, 2, 3, 4, 5, 6, 7, 8, 9], "bad_image", "damaged");
        await RefusedAsync([(byte)'B', (byte)'Z', (byte)'h', (byte)'9', 0, 0, 0, 0], "bad_image");
        await RefusedAsync(Tar([new TarEntry { Name = "huge", Type = TarEntryType.File, Size = 1L << 60 }])[..512], "import_too_large", "damaged");
    }

    [Theory]
    [InlineData("layer", "damaged")]
    [InlineData("manifest", "damaged")]
    [InlineData("size", "damaged")]
    [InlineData("missing", "bad_image")]
    [InlineData("diff", "damaged")]
    [InlineData("count", "bad_image")]
    [InlineData("artifact", "bad_image")]
    [InlineData("digest", "bad_image")]
    [InlineData("null", "bad_image")]
    public async Task Images_that_lie_are_refused(string lie, string reason)
    {
        var copy = $"{fixture.Work}/lie-{lie}";
        await Shell.RunAsync($$"""
            cp -a {{fixture.Layout}} {{copy}}; cd {{copy}}; python3 - {{lie}} <<'END'
            import hashlib, json, os, sys
            lie = sys.argv[1]
            blob = lambda d: 'blobs/sha256/' + d.split(':')[1]
            def put(o):
                body = json.dumps(o).encode(); d = 'sha256:' + hashlib.sha256(body).hexdigest()
                open(blob(d), 'wb').write(body); return d, len(body)
            index = json.load(open('index.json')); top = index['manifests'][0]
            manifest = json.load(open(blob(top['digest']))); config = json.load(open(blob(manifest['config']['digest'])))
            def flip(path):
                b = bytearray(open(path, 'rb').read()); b[len(b) // 2] ^= 1; open(path, 'wb').write(b)
            if lie == 'layer': flip(blob(manifest['layers'][0]['digest']))
            elif lie == 'manifest': flip(blob(top['digest']))
            elif lie == 'missing': os.remove(blob(manifest['layers'][1]['digest']))
            else:
                if lie == 'size': manifest['layers'][0]['size'] += 1
                if lie == 'diff': config['rootfs']['diff_ids'][0] = 'sha256:' + '0' * 64
                if lie == 'count': config['rootfs']['diff_ids'].pop()
                if lie == 'artifact': config = {}
                if lie == 'digest': manifest['layers'][0]['digest'] = 'sha256:../../../../etc/passwd'
                if lie == 'null': manifest['layers'][0] = None
                manifest['config']['digest'], manifest['config']['size'] = put(config)
                top['digest'], top['size'] = put(manifest)
                json.dump(index, open('index.json', 'w'))
            END
            """);
        Assert.Equal(reason, (await Assert.ThrowsAsync<VivariumException>(() => fixture.ImportAsync(copy, "lie"))).Reason);
        Assert.Empty(await fixture.Volumes.ReclaimAsync(Token));
    }

    /// <summary>Seeded: whatever bytes come, the answer is one of our errors or a template, in bounded time.</summary>
    [Fact]
    public async Task Mutated_images_and_archives_never_crash_it()
    {
        await Shell.RunAsync($"cd {fixture.Work}; mkdir -p small; printf s > small/f; tar -C small -cf small.tar .; umoci init --layout fuzz; umoci new --image fuzz:x; umoci raw add-layer --image fuzz:x small.tar; tar -C fuzz -cf fuzz.tar .");
        var seeds = new[] { await System.IO.File.ReadAllBytesAsync(fixture.Work + "/fuzz.tar", Token), Tar([File("a/b", 100), Link("l", "a"), HardLink("h", "a/b"), WithAttribute("x", "user.y")]) };
        var random = new Random(20261127);
        for (var i = 0; i < 120; i++)
        {
            var bytes = (byte[])seeds[i % 2].Clone();
            for (var flips = random.Next(1, 6); flips > 0; flips--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            var path = await WriteAsync(random.Next(4) == 0 ? bytes[..random.Next(bytes.Length)] : bytes);
            try
            {
                await fixture.ImportAsync(path, "fuzz");
            }
            catch (VivariumException e)
            {
                Assert.NotEqual(ErrorCode.Internal, e.Code);
            }
        }

        Assert.Empty(await fixture.Volumes.ReclaimAsync(Token));
    }

    /// <summary>The JSON of images, mutated as text so that it often still is JSON: nulls, wrong types, missing parts.</summary>
    [Fact]
    public async Task Mutated_descriptions_of_images_never_crash_it()
    {
        await Shell.RunAsync($$"""
            cd {{fixture.Work}}; mkdir -p doc; printf s > doc-file; tar -cf doc/layer.tar doc-file
            """);
        var layer = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(await System.IO.File.ReadAllBytesAsync(fixture.Work + "/doc/layer.tar", Token)));
        var config = $$$"""{"architecture":"amd64","os":"linux","config":{"User":"u","Env":["A=b"],"Entrypoint":["x"],"Cmd":["y"],"Labels":{"a":"b"},"ExposedPorts":{"1/tcp":{}},"WorkingDir":"/w"},"rootfs":{"type":"layers","diff_ids":["sha256:{{{layer}}}"]}}""";
        const string manifest = """[{"Config":"config.json","RepoTags":["a:b"],"Layers":["layer.tar"]}]""";
        string[] replacements = ["null", "[]", "{}", "\"\"", "-1", "[null]", "{\"a\":null}", "\"\\u0000\""];
        var random = new Random(11);
        for (var i = 0; i < 120; i++)
        {
            var (a, b) = i == 0 ? (manifest, config) : i % 3 == 0 ? (Mutate(manifest), config) : (manifest, Mutate(config));
            await System.IO.File.WriteAllBytesAsync(fixture.Work + "/doc/manifest.json", Encoding.UTF8.GetBytes(a), Token);
            await System.IO.File.WriteAllBytesAsync(fixture.Work + "/doc/config.json", Encoding.UTF8.GetBytes(b), Token);
            await Shell.RunAsync($"cd {fixture.Work}; tar -C doc -cf doc.tar manifest.json config.json layer.tar");
            try
            {
                await fixture.ImportAsync(fixture.Work + "/doc.tar", "doc");
            }
            catch (VivariumException e)
            {
                Assert.NotEqual((0, ErrorCode.InvalidArgument), (i, e.Code));
                Assert.NotEqual(ErrorCode.Internal, e.Code);
            }
        }

        string Mutate(string json)
        {
            var values = System.Text.RegularExpressions.Regex.Matches(json, "(\\[[^\\[\\]]*\\]|\\{[^{}]*\\}|\"[^\"]*\")(?!:)");
            var value = values[random.Next(values.Count)];
            return json[..value.Index] + replacements[random.Next(replacements.Length)] + json[(value.Index + value.Length)..];
        }
    }

    private async Task RefusedAsync(byte[] archive, params string[] reasons)
    {
        var error = await Assert.ThrowsAsync<VivariumException>(async () => await fixture.ImportAsync(await WriteAsync(archive), "evil"));
        Assert.Contains(error.Reason, reasons);
        Assert.NotNull(error.Hint);
        Assert.False(System.IO.File.Exists("/tmp/evil"));
        Assert.Empty(await fixture.Volumes.ReclaimAsync(Token));
    }

    private async Task<string> WriteAsync(byte[] bytes)
    {
        var path = fixture.Work + "/input";
        await System.IO.File.WriteAllBytesAsync(path, bytes, Token);
        return path;
    }

    private ImportNotes Unpack(TarEntry[] entries)
    {
        var root = System.IO.Directory.CreateDirectory($"{fixture.Work}/unpack-{Guid.NewGuid():N}").FullName;
        var notes = new ImportNotes();
        using var unpacker = new TreeUnpacker(root, ImportLimits.Default, notes, Token);
        unpacker.BeginLayer(withWhiteouts: true);
        foreach (var entry in entries)
        {
            unpacker.Apply(entry, _ => 0);
        }

        unpacker.Finish();
        return notes;
    }

    private static byte[] Tar(TarEntry[] entries)
    {
        var stream = new MemoryStream();
        var writer = new TarWriter(stream);
        foreach (var entry in entries)
        {
            writer.Add(entry);
            if (entry.Size < 1 << 20)
            {
                writer.Content(Enumerable.Range(0, (int)entry.Size).Select(i => (byte)(i * 31)).ToArray());
            }
            else
            {
                return stream.ToArray();
            }
        }

        writer.Finish();
        return stream.ToArray();
    }

    private static byte[] Gzip(byte[] bytes)
    {
        var stream = new MemoryStream();
        using (var gzip = new GZipStream(stream, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(bytes);
        }

        return stream.ToArray();
    }

    private static TarEntry File(string name, long size = 0) => new() { Name = name, Type = TarEntryType.File, Mode = 0x1A4, Size = size };

    private static TarEntry Directory(string name) => new() { Name = name, Type = TarEntryType.Directory, Mode = 0x1ED };

    private static TarEntry Link(string name, string target) => new() { Name = name, Type = TarEntryType.SymbolicLink, Target = target };

    private static TarEntry HardLink(string name, string target) => new() { Name = name, Type = TarEntryType.HardLink, Target = target };

    private static TarEntry WithAttribute(string name, string attribute)
    {
        var entry = File(name);
        entry.Attributes.Add((attribute, [1, 2]));
        return entry;
    }
}
