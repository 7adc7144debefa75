using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Streams;
using Vivarium.Cli.Terminal;
using Vivarium.Linux.Tar;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Cli.Copy;

/// <summary>Copies out of a sandbox, as one tar stream.</summary>
internal sealed class CopyOut(HostConnection host, string sandbox, string? user, bool keepOwners, Progress progress, TextOut messages, SignalPipe? signals)
{
    /// <summary>One file or folder, by the rules of cp: into a target that is a folder, else as the target.</summary>
    public void Copy(string source, string target, bool severalSources)
    {
        using var session = Open();
        var entry = session.Stat(source, user) ?? throw new VivariumException(ErrorCode.NotFound, $"{source} does not exist in sandbox {sandbox}", $"viv exec {sandbox} -- ls");
        var leaf = new CopyPath(sandbox, source).Leaf;
        var targetIsFolder = Directory.Exists(target);
        if (severalSources && !targetIsFolder)
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"{target} is no folder; several things can only be copied into one", $"mkdir -p {target}");
        }

        if (!targetIsFolder && target.EndsWith('/') && entry.Type != "dir")
        {
            throw new VivariumException(ErrorCode.NotFound, $"the folder {target} does not exist", $"mkdir -p {target}");
        }

        if (entry.Type == "dir" && File.Exists(target))
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"{target} is a file; a folder cannot replace it");
        }

        if (leaf.Length == 0)
        {
            // `dir/.`: the content of the folder, poured into the target.
            Directory.CreateDirectory(target);
            Receive(session, source, null, target, name => name);
            return;
        }

        var slash = source.TrimEnd('/').LastIndexOf('/');
        var parent = slash < 0 ? "." : slash == 0 ? "/" : source[..slash];
        var directory = targetIsFolder ? target : Path.GetDirectoryName(Path.GetFullPath(target.TrimEnd('/')))!;
        var newName = targetIsFolder ? leaf : Path.GetFileName(target.TrimEnd('/'));
        Receive(session, parent, [leaf], directory, name => name == leaf ? newName : name.StartsWith(leaf + "/", StringComparison.Ordinal) ? newName + name[leaf.Length..] : null);
    }

    /// <summary>A tar stream on standard output; a folder comes as its content, a file by its name.</summary>
    public bool Stream(string source, int output)
    {
        using var session = Open();
        var entry = session.Stat(source, user) ?? throw new VivariumException(ErrorCode.NotFound, $"{source} does not exist in sandbox {sandbox}");
        var slash = source.TrimEnd('/').LastIndexOf('/');
        Begin(session, entry.Type == "dir" ? source : slash < 0 ? "." : slash == 0 ? "/" : source[..slash], entry.Type == "dir" ? null : [new CopyPath(sandbox, source).Leaf]);
        var buffer = new byte[FileSession.ChunkBytes];
        while (session.ReadContent(buffer) is var count and > 0)
        {
            if (!Fd.WriteAll(output, buffer.AsSpan(0, count)))
            {
                return false;
            }
        }

        session.Reply();
        return true;
    }

    private FileSession Open() => new(GuestStream.Open(host, sandbox, GuestPort.Files), signals);

    private void Begin(FileSession session, string path, IReadOnlyList<string>? paths)
    {
        if (!session.Call(new FileRequest { Op = "archive_out", Path = path, Paths = paths, User = user }).Content)
        {
            throw new VivariumException(ErrorCode.Internal, "the sandbox sent no archive");
        }
    }

    private void Receive(FileSession session, string path, IReadOnlyList<string>? paths, string directory, Func<string, string?> rename)
    {
        Begin(session, path, paths);
        using var source = new ContentStream(session.ReadContent);
        using var unpacker = new FolderUnpacker(directory, keepOwners, new CopyCount(progress, "copying"), messages);
        unpacker.Unpack(new TarReader(source), rename);

        // What follows the archive's end belongs to its padding; then comes the word that all of it was sent.
        Span<byte> rest = stackalloc byte[4096];
        while (source.Read(rest) > 0)
        {
        }

        session.Reply();
    }
}
