using System.Security.Cryptography;
using System.Text;
using Vivarium.Linux.Tar;
using Vivarium.TestKit;
using Vivarium.Templates.Images;
using Vivarium.Templates.Import;
using Vivarium.Wire.Errors;

namespace Vivarium.Storage.Tests.Templates.Import;

/// <summary>Damaged images and archives: refused with an error of ours, in bounded time, and nothing is made outside of the root.</summary>
public sealed class ImportFuzzTests
{
    private const string Hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    private static readonly string Config =
        "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"User\":\"1000:1000\",\"Env\":[\"A=1\"],\"WorkingDir\":\"/w\",\"Labels\":{\"a\":\"b\"}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" + Hex + "\"]}}";

    [Theory]
    [InlineData("layout")]
    [InlineData("index")]
    [InlineData("manifest")]
    [InlineData("config")]
    public void Layouts(string damaged)
    {
        var config = Encoding.UTF8.GetBytes(Config);
        var manifest = Manifest(config);
        var sample = damaged switch
        {
            "layout" => "{\"imageLayoutVersion\":\"1.0.0\"}"u8.ToArray(),
            "index" => Index(manifest),
            "manifest" => manifest,
            _ => config,
        };
        var found = 0;
        Fuzz.Bytes(
            [sample],
            bytes =>
            {
                // What points at the damaged document points at it as it is: its digest is right, and its content is read.
                var itsConfig = damaged == "config" ? bytes : config;
                var itsManifest = damaged == "manifest" ? bytes : Manifest(itsConfig);
                found += Select(new Dictionary<string, byte[]>
                {
                    ["oci-layout"] = damaged == "layout" ? bytes : "{\"imageLayoutVersion\":\"1.0.0\"}"u8.ToArray(),
                    ["index.json"] = damaged == "index" ? bytes : Index(itsManifest),
                    [BlobOf(itsManifest)] = itsManifest,
                    [BlobOf(itsConfig)] = itsConfig,
                }) ? 1 : 0;
            },
            static e => e is VivariumException,
            rounds: 1500);
        Assert.True(found > 0, "some damage must leave an image");
    }

    [Fact]
    public void Docker_archives()
    {
        var files = new Dictionary<string, byte[]>
        {
            ["manifest.json"] = Encoding.UTF8.GetBytes($"[{{\"Config\":\"config.json\",\"RepoTags\":[\"app:latest\"],\"Layers\":[\"{Hex}/layer.tar\"]}}]"),
            ["config.json"] = Encoding.UTF8.GetBytes(Config),
        };
        var found = 0;
        foreach (var damaged in files.Keys)
        {
            Fuzz.Bytes([files[damaged]], bytes => found += Select(new Dictionary<string, byte[]>(files) { [damaged] = bytes }) ? 1 : 0, static e => e is VivariumException, rounds: 1500);
        }

        Assert.True(found > 0, "some damage must leave an image");
    }

    [Fact]
    public void Layers_are_unpacked_inside_of_their_root_or_refused()
    {
        using var work = new TempDir();
        using var layer = new MemoryStream();
        var writer = new TarWriter(layer);
        writer.Add(new TarEntry { Name = "d", Type = TarEntryType.Directory, Mode = 0x1ED });
        writer.Add(new TarEntry { Name = "d/f", Type = TarEntryType.File, Size = 3, Mode = 0x1A4 });
        writer.Content("abc"u8);
        writer.Add(new TarEntry { Name = "d/l", Type = TarEntryType.SymbolicLink, Target = "../../.." });
        writer.Add(new TarEntry { Name = "d/h", Type = TarEntryType.HardLink, Target = "d/f" });
        writer.Add(new TarEntry { Name = "d/.wh.gone", Type = TarEntryType.File });
        writer.Finish();
        var count = 0;
        Fuzz.Bytes(
            [layer.ToArray()],
            bytes =>
            {
                var root = work.Dir($"outer{count}/root");
                var beside = Path.Combine(work.Path, $"outer{count++}");
                try
                {
                    using var unpacker = new TreeUnpacker(root, new ImportLimits(1 << 20, 100), new ImportNotes(), CancellationToken.None);
                    unpacker.BeginLayer(withWhiteouts: true);
                    var reader = new TarReader(new MemoryStream(bytes));
                    while (reader.Next() is { } entry)
                    {
                        unpacker.Apply(entry, reader.Content);
                    }

                    unpacker.Finish();
                }
                catch (Exception e) when (e is not VivariumException)
                {
                    // As the import itself turns what reading and writing throw into an error of ours; what it does not know is "internal".
                    throw ImportErrors.Of(e) is { Code: not ErrorCode.Internal } known ? known : new InvalidOperationException(e.Message, e);
                }
                finally
                {
                    Assert.Equal([root], Directory.GetFileSystemEntries(beside));
                    Directory.Delete(beside, recursive: true);
                }
            },
            static e => e is VivariumException,
            rounds: 600);
    }

    private static byte[] Manifest(byte[] config) => Encoding.UTF8.GetBytes(
        $"{{\"schemaVersion\":2,\"config\":{{\"digest\":\"{Digest(config)}\",\"size\":{config.Length}}},\"layers\":[{{\"digest\":\"sha256:{Hex}\",\"size\":10,\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\"}}]}}");

    private static byte[] Index(byte[] manifest) => Encoding.UTF8.GetBytes(
        $"{{\"schemaVersion\":2,\"manifests\":[{{\"digest\":\"{Digest(manifest)}\",\"size\":{manifest.Length},\"annotations\":{{\"org.opencontainers.image.ref.name\":\"app\"}},\"platform\":{{\"os\":\"linux\",\"architecture\":\"amd64\"}}}}]}}");

    private static bool Select(Dictionary<string, byte[]> files) => new ImageSelection(new MemoryFiles(files), null, Platform.Default, CancellationToken.None).Find() is { } image
        && ImageMetadata.From(image.Config, new ImportNotes()) is not null;

    private static string Digest(byte[] bytes) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static string BlobOf(byte[] bytes) => "blobs/sha256/" + Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <summary>Files of an image.</summary>
    private sealed class MemoryFiles(Dictionary<string, byte[]> files) : IImageFiles
    {
        public Stream? Open(string path) => files.TryGetValue(path, out var content) ? new MemoryStream(content) : null;

        public void Dispose()
        {
        }
    }
}
