namespace Vivarium.Cli.Tests;

/// <summary>A directory that goes away with its test.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("viv-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public string Write(string name, string text)
    {
        var path = this[name];
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        using var writer = new StreamWriter(path);
        writer.Write(text);
        return path;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
