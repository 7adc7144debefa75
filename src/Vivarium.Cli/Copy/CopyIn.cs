using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Streams;
using Vivarium.Cli.Terminal;
using Vivarium.Linux.Tar;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Cli.Copy;

/// <summary>Copies into a sandbox: everything goes as one tar stream, so that a hundred thousand small files cost no round trips.</summary>
internal sealed class CopyIn(HostConnection host, string sandbox, string? user, bool keepOwners, Progress progress, TextOut messages, SignalPipe? signals)
{
    /// <summary>The content of a folder to a folder of the sandbox, which is made.</summary>
    public static void Folder(HostConnection host, string sandbox, string path, string target, string? user, Progress progress, TextOut messages, SignalPipe signals)
    {
        var copy = new CopyIn(host, sandbox, user, keepOwners: false, progress, messages, signals);
        using var session = copy.Open();
        copy.Send(session, target, path, "");
    }

    /// <summary>One file or folder, by the rules of cp: into a target that is a folder, else as the target.</summary>
    public void Copy(string source, string target, bool severalSources)
    {
        using var session = Open();
        var exists = session.Stat(target, user);
        var leaf = new CopyPath(null, Path.GetFullPath(source) == "/" ? "" : source).Leaf;
        var isFolder = Directory.Exists(source) && (leaf.Length == 0 || new FileInfo(source).LinkTarget is null);
        var into = exists?.Type == "dir" || (!isFolder && target.EndsWith('/')) || severalSources;
        if (severalSources && exists?.Type != "dir")
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"{target} is no folder of sandbox {sandbox}; several things can only be copied into one", $"viv exec {sandbox} -- mkdir -p {target}");
        }

        if (exists is not null && exists.Type != "dir" && isFolder)
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"{target} is a file of sandbox {sandbox}; a folder cannot replace it");
        }

        if (into || leaf.Length == 0)
        {
            Send(session, target, source, leaf); // `dir/.` is poured out
            return;
        }

        // It becomes the target, with its own mode and times.
        target = target.TrimEnd('/');
        var slash = target.LastIndexOf('/');
        Send(session, slash < 0 ? "." : slash == 0 ? "/" : target[..slash], source, target[(slash + 1)..]);
    }

    /// <summary>A tar stream on standard input, unpacked in a folder of the sandbox.</summary>
    public void Stream(string target, int input)
    {
        using var session = Open();
        session.BeginContent(Unpack(target));
        var count = new CopyCount(progress, "copying");
        var buffer = new byte[FileSession.ChunkBytes];
        for (; ; )
        {
            signals?.WaitWith(input, -1);
            var read = Fd.Read(input, buffer);
            if (read == 0)
            {
                break;
            }

            session.SendChunk(buffer.AsSpan(0, Math.Max(read, 0)));
            count.Content(Math.Max(read, 0));
        }

        session.EndContent();
    }

    private FileSession Open() => new(GuestStream.Open(host, sandbox, GuestPort.Files), signals);

    private FileRequest Unpack(string target) => new() { Op = "archive_in", Path = target, User = user, KeepOwners = keepOwners, Parents = true };

    private void Send(FileSession session, string target, string source, string name)
    {
        session.BeginContent(Unpack(target));
        using var chunks = new ChunkStream(session.SendChunk);
        var tar = new TarWriter(chunks);
        new FolderPacker(tar, new CopyCount(progress, $"copying {source}"), messages).Add(source, name);
        tar.Finish();
        chunks.Flush();
        session.EndContent();
    }
}
