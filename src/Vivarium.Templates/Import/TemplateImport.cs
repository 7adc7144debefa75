using Vivarium.Linux.Files;
using Vivarium.Linux.Tar;
using Vivarium.Templates.Images;
using Vivarium.Wire.Host;

namespace Vivarium.Templates.Import;

/// <summary>Fills an empty root from what is imported and tells its metadata. Whatever it throws, the caller throws the root away.</summary>
internal sealed class TemplateImport(
    ImportParams parameters, ImportLimits limits, string spoolDirectory, ImportProgress progress, CancellationToken cancellationToken)
{
    private const double UnpackBegins = 0.3, UnpackEnds = 0.9;
    private const int BufferBytes = 64 * 1024;

    internal ImportNotes Notes { get; } = new();

    /// <summary>Does all of it; blocks.</summary>
    internal TemplateMetadata Run(string root)
    {
        progress.Report("open", null, "looking at what is imported");
        return FileStatus.Find(parameters.Path) switch
        {
            null => throw ImportFile.NotFound(parameters.Path),
            { Kind: FileKind.Directory } => FromDirectory(root),
            _ => FromFile(root),
        };
    }

    private TemplateMetadata FromDirectory(string root)
    {
        var source = Path.TrimEndingDirectorySeparator(new DirectoryInfo(parameters.Path).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? parameters.Path);
        using IImageFiles files = new LayoutDirectory(source);
        if (files.Has("oci-layout") && Select(files) is { } image)
        {
            return FromImage(image, files, root);
        }

        RefuseImageFlags("a directory");
        using var unpacker = new TreeUnpacker(root, limits, Notes, cancellationToken);
        unpacker.BeginLayer(withWhiteouts: false);
        long count = 0;
        new TreeEntries(Notes, devices: false, cancellationToken).Walk(source, (entry, content) =>
        {
            long position = 0;
            unpacker.Apply(entry, target =>
            {
                // A file that grows while it is read keeps the size it was announced with.
                var read = RandomAccess.Read(content!, target[..(int)Math.Min(target.Length, entry.Size - position)], position);
                position += read;
                return read;
            });
            progress.Report("unpack", null, $"copying files: {++count}");
        });
        unpacker.Finish();
        return new TemplateMetadata();
    }

    private TemplateMetadata FromFile(string root)
    {
        using var file = ImportFile.OpenPlain(parameters.Path, spoolDirectory, limits, progress, cancellationToken);
        using var files = ArchiveFiles.Index(file, limits, cancellationToken);
        if (Select(files) is { } image)
        {
            return FromImage(image, files, root);
        }

        RefuseImageFlags("a tar archive of files");
        file.Position = 0;
        using var unpacker = new TreeUnpacker(root, limits, Notes, cancellationToken);
        unpacker.BeginLayer(withWhiteouts: false);
        using var buffered = new BufferedStream(file, BufferBytes);
        var reader = new TarReader(buffered);
        var count = Unpack(reader, unpacker, () => progress.Report("unpack", Fraction(file.Position, file.Length), "unpacking files"));
        if (count == 0)
        {
            throw ImportErrors.Malformed("there is nothing in it");
        }

        if (!reader.SawEnd)
        {
            throw ImportErrors.Damaged("the archive has no end: it may have been cut off");
        }

        unpacker.Finish();
        return new TemplateMetadata();
    }

    private SelectedImage? Select(IImageFiles files) => new ImageSelection(files, parameters.Image, Platform.Parse(parameters.Platform), cancellationToken).Find();

    private TemplateMetadata FromImage(SelectedImage image, IImageFiles files, string root)
    {
        var metadata = ImageMetadata.From(image.Config, Notes);
        var budget = new UnpackBudget(limits);
        using var unpacker = new TreeUnpacker(root, limits, Notes, cancellationToken);
        for (var i = 0; i < image.Layers.Count; i++)
        {
            var (index, layer) = (i, image.Layers[i]);
            progress.Report("unpack", Fraction(index, image.Layers.Count), $"unpacking layer {index + 1} of {image.Layers.Count}");
            var stored = files.Open(layer.Path) ?? throw ImportErrors.Malformed($"the file {ImportErrors.Quote(layer.Path)} of a layer is not in it");
            using var verified = new VerifyingStream(stored, layer.Digest, layer.Size, $"layer {index + 1}");
            using var bounded = new BoundedStream(Compression.Open(verified, out _), budget, cancellationToken);
            using var content = new VerifyingStream(bounded, layer.DiffId, null, $"the content of layer {index + 1}");
            using var buffered = new BufferedStream(content, BufferBytes);
            unpacker.BeginLayer(withWhiteouts: true);
            Unpack(new TarReader(buffered), unpacker, null);
            content.Complete(cancellationToken);
            verified.Complete(cancellationToken);
        }

        unpacker.Finish();
        return metadata;
    }

    private static long Unpack(TarReader reader, TreeUnpacker unpacker, Action? report)
    {
        long count = 0;
        for (; reader.Next() is { } entry; count++)
        {
            unpacker.Apply(entry, reader.Content);
            report?.Invoke();
        }

        return count;
    }

    private void RefuseImageFlags(string what)
    {
        if (parameters.Image is not null || parameters.Platform is not null)
        {
            throw ImportErrors.Malformed($"{ImportErrors.Quote(parameters.Path)} is {what} and no image: there is no image name or platform to choose by");
        }
    }

    private static double Fraction(double done, double all) => UnpackBegins + ((UnpackEnds - UnpackBegins) * (all == 0 ? 1 : done / all));
}
