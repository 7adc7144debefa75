using System.Text;
using Vivarium.Cli.Copy;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Streams;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Kind = Vivarium.Linux.Tar.TarEntryType;
using TarEntry = Vivarium.Linux.Tar.TarEntry;
using TarReader = Vivarium.Linux.Tar.TarReader;
using TarWriter = Vivarium.Linux.Tar.TarWriter;

namespace Vivarium.Cli.Tests;

/// <summary>What a sandbox sends to <c>viv</c>, and what is typed, damaged: refused with an error of ours, and nothing is written outside of a copy's target.</summary>
public sealed class FuzzTests
{
    [Fact]
    public void Exec_frames() => Fuzz.Bytes(
        [[.. Frame(1, "out"), .. Frame(3, "{\"type\":\"ping\"}"), .. Frame(2, ""), .. Frame(3, "{\"type\":\"exit\",\"code\":0,\"signal\":null}")]],
        static bytes =>
        {
            var control = 0;
            var frames = new ExecFrames(static (_, _) => true, _ => control++);
            var random = new Random(bytes.Length);
            for (var at = 0; at < bytes.Length;)
            {
                var count = Math.Min(random.Next(1, 20), bytes.Length - at);
                frames.Take(bytes.AsSpan(at, count));
                at += count;
            }
        },
        static e => e is VivariumException);

    [Fact]
    public void Archives_are_unpacked_inside_of_their_target_or_refused()
    {
        using var work = new TempDir();
        using var nowhere = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.Write);
        var messages = new TextOut((int)nowhere.DangerousGetHandle());
        using var archive = new MemoryStream();
        var writer = new TarWriter(archive);
        writer.Add(new TarEntry { Name = "d", Type = Kind.Directory, Mode = 0x1ED });
        writer.Add(new TarEntry { Name = "d/f", Type = Kind.File, Size = 3, Mode = 0x1A4 });
        writer.Content("abc"u8);
        writer.Add(new TarEntry { Name = "d/l", Type = Kind.SymbolicLink, Target = "../../.." });
        writer.Add(new TarEntry { Name = "d/l/x", Type = Kind.File, Mode = 0x1A4 });
        writer.Add(new TarEntry { Name = "d/h", Type = Kind.HardLink, Target = "d/f" });
        writer.Finish();
        var count = 0;
        Fuzz.Bytes(
            [archive.ToArray()],
            bytes =>
            {
                var beside = work.Dir($"o{count++}");
                var target = Directory.CreateDirectory(Path.Combine(beside, "target")).FullName;
                try
                {
                    using var unpacker = new FolderUnpacker(target, keepOwners: false, new CopyCount(new Progress(messages, "", quiet: true), ""), messages);
                    unpacker.Unpack(new TarReader(new MemoryStream(bytes)), static name => name);
                }
                finally
                {
                    Assert.Equal([target], Directory.GetFileSystemEntries(beside));
                    Directory.Delete(beside, recursive: true);
                }
            },
            static e => e is VivariumException or InvalidDataException or EndOfStreamException,
            rounds: 500);
    }

    [Fact]
    public void Typed_values() => Fuzz.Text(
        ["8000:8080", "[::1]:80:90/tcp", "127.0.0.1:0:1", "512MiB", "1.5h", "box:/etc/passwd", "K=V", "32GiB/udp"],
        static text =>
        {
            Accept(() => PortText.Parse("--publish", text));
            Accept(() => Values.Size(text, "--memory"));
            Accept(() => Values.Duration(text, "--timeout"));
            Accept(() => CopyPath.Parse(text));
        },
        static e => e is VivariumException);

    private static void Accept(Action parse)
    {
        try
        {
            parse();
        }
        catch (VivariumException)
        {
            // That is an answer; the others get the text as well.
        }
    }

    private static byte[] Frame(byte channel, string payload)
    {
        var frame = new byte[5 + payload.Length];
        ExecFrames.Write(frame, channel, Encoding.UTF8.GetBytes(payload));
        return frame;
    }
}
