using Vivarium.Linux.Mounts;

namespace Vivarium.TestKit;

/// <summary>A directory of its own for a test, short enough for socket paths below it; what is mounted or left in it goes with it.</summary>
public sealed class TempDir : IDisposable
{
    /// <summary>Creates it, mode 0700, where temporary files go.</summary>
    public TempDir()
        : this(System.IO.Path.GetTempPath())
    {
    }

    /// <summary>Creates it, mode 0700, below a directory: <c>/dev/shm</c> for what must not wait for a disk.</summary>
    public TempDir(string below)
    {
        Path = System.IO.Path.Combine(below, "viv-" + System.IO.Path.GetRandomFileName()[..8]);
        Directory.CreateDirectory(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
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
