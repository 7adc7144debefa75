using Vivarium.Linux.Files;
using Vivarium.Wire.Errors;

namespace Vivarium.Templates.Import;

/// <summary>Opens the file that is imported, decompressed: a compressed one goes to a nameless file first, because parts of an image are read in no order.</summary>
internal static class ImportFile
{
    private const int ChunkBytes = 256 * 1024;

    /// <summary>A seekable stream of the plain content.</summary>
    internal static FileStream OpenPlain(string path, string spoolDirectory, ImportLimits limits, ImportProgress progress, CancellationToken cancellationToken)
    {
        var file = Open(path);
        try
        {
            var plain = Compression.Open(file, out var compressed);
            if (!compressed)
            {
                file.Position = 0;
                return file;
            }

            using (plain)
            {
                return Spool(plain, file, spoolDirectory, limits, progress, cancellationToken);
            }
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static FileStream Open(string path)
    {
        // Follows links, so that /proc/<pid>/fd/<n> means what is open there.
        return FileStatus.Find(path) switch
        {
            null => throw NotFound(path),
            { Kind: FileKind.Regular } => new FileStream(
                path, new FileStreamOptions { Mode = FileMode.Open, Access = FileAccess.Read, Share = FileShare.ReadWrite | FileShare.Delete, BufferSize = 0 }),
            _ => throw new VivariumException(
                ErrorCode.InvalidArgument, $"{ImportErrors.Quote(path)} is neither a regular file nor a directory", "'viv template import -' reads standard input", "bad_source"),
        };
    }

    internal static VivariumException NotFound(string path) => new(
        ErrorCode.NotFound, $"there is no file or directory {ImportErrors.Quote(path)}", "the daemon reads it: give an absolute path of its machine", "source_not_found");

    private static FileStream Spool(Stream plain, FileStream file, string directory, ImportLimits limits, ImportProgress progress, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(directory);
        var path = Path.Combine(directory, $"import-{Guid.NewGuid():N}");
        var spool = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        try
        {
            File.Delete(path); // from here on it goes with us, whatever ends us
            var budget = new UnpackBudget(limits);
            var buffer = new byte[ChunkBytes];
            while (plain.Read(buffer) is var read and > 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                budget.Take(read);
                spool.Write(buffer, 0, read);
                progress.Report("decompress", file.Length == 0 ? null : 0.3 * file.Position / file.Length, "decompressing");
            }

            spool.Position = 0;
            return spool;
        }
        catch
        {
            spool.Dispose();
            throw;
        }
    }
}
