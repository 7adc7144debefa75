using Vivarium.Linux.Mounts;

namespace Vivarium.TestKit;

/// <summary>A directory of its own for a test, short enough for socket paths below it; what is mounted or left in it goes with it.</summary>
public sealed class TempDir : IDisposable
{
    /// <summary>Creates it, mode 0700.</summary>
    public TempDir()
    {
        Path = Directory.CreateTempSubdirectory("viv-").FullName;
    }

    /// <summary>Absolute path.</summary>
    public string Path { get; }

    /// <summary>A path below it; nothing is created.</summary>
    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>A subdirectory, created.</summary>
    public string Dir(string name) => Directory.CreateDirectory(this[name]).FullName;

    /// <summary>A file, created with its directories.</summary>
    public string Write(string name, string content)
    {
        var path = this[name];
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        using var writer = new StreamWriter(path);
        writer.Write(content);
        return path;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        MountTable.UnmountAll(Path);
        if (Directory.Exists(Path))
        {
            Directory.Delete(Path, recursive: true);
        }
    }
}
