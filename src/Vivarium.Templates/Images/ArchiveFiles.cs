using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Tar;
using Vivarium.Templates.Import;

namespace Vivarium.Templates.Images;

/// <summary>An image in an archive: one pass over the headers says where each file lies; old <c>docker save</c> files have links among them.</summary>
internal sealed class ArchiveFiles : IImageFiles
{
    private const int MostLinks = 8;

    private readonly FileStream file;
    private readonly Dictionary<string, (long Offset, long Size)> files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> links = new(StringComparer.Ordinal);

    private ArchiveFiles(FileStream file) => this.file = file;

    /// <summary>Reads the index of an archive; the stream stays the caller's.</summary>
    internal static ArchiveFiles Index(FileStream file, ImportLimits limits, CancellationToken cancellationToken)
    {
        var archive = new ArchiveFiles(file);
        file.Position = 0;
        var reader = new TarReader(file);
        for (long count = 0; reader.Next() is { } entry; count++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (count >= limits.MaxEntries)
            {
                throw ImportErrors.TooLarge($"it has more than {limits.MaxEntries} entries", "import_max_entries");
            }

            var name = Normal(entry.Name);
            if (entry.Type == TarEntryType.File)
            {
                archive.files[name] = (file.Position, entry.Size);
            }
            else if (entry.Type is TarEntryType.SymbolicLink or TarEntryType.HardLink)
            {
                var slash = name.LastIndexOf('/');
                archive.links[name] = Normal(entry.Type == TarEntryType.HardLink || slash < 0 ? entry.Target : $"{name[..slash]}/{entry.Target}");
            }
        }

        return archive;
    }

    public void Dispose()
    {
    }

    public Stream? Open(string path)
    {
        var name = Normal(path);
        for (var hop = 0; hop < MostLinks; hop++)
        {
            if (files.TryGetValue(name, out var place))
            {
                return new Part(file.SafeFileHandle, place.Offset, place.Size);
            }

            if (!links.TryGetValue(name, out name!))
            {
                return null;
            }
        }

        return null;
    }

    /// <summary>Only a key of our tables: nothing is opened by it.</summary>
    private static string Normal(string name)
    {
        var steps = new List<string>();
        foreach (var step in name.Split('/'))
        {
            if (step == ".." && steps.Count > 0)
            {
                steps.RemoveAt(steps.Count - 1);
            }
            else if (step is not ("" or "." or ".."))
            {
                steps.Add(step);
            }
        }

        return string.Join('/', steps);
    }

    private sealed class Part(SafeFileHandle handle, long offset, long size) : ReadingStream
    {
        private long position;

        public override int Read(Span<byte> buffer)
        {
            var wanted = buffer[..(int)Math.Min(buffer.Length, size - position)];
            if (wanted.IsEmpty)
            {
                return 0;
            }

            var read = RandomAccess.Read(handle, wanted, offset + position);
            position += read;
            return read > 0 ? read : throw new EndOfStreamException("the archive ends in the middle of a file");
        }
    }
}
