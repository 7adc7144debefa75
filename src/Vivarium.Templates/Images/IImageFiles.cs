namespace Vivarium.Templates.Images;

/// <summary>The files an image is stored in, by their relative path: a layout directory or an archive. A registry would be a third kind.</summary>
internal interface IImageFiles : IDisposable
{
    /// <summary>A file, to be read from its start; null when it is not there.</summary>
    Stream? Open(string path);

    /// <summary>Whether there is such a file.</summary>
    bool Has(string path)
    {
        using var file = Open(path);
        return file is not null;
    }
}
