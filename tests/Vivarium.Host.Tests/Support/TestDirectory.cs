namespace Vivarium.Host.Tests.Support;

/// <summary>A directory of a test's own, removed at its end. Short, so that socket paths below it fit.</summary>
internal sealed class TestDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("vh.").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
