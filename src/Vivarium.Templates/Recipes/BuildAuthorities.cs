namespace Vivarium.Templates.Recipes;

/// <summary>
/// The authorities of the host's owner for the time of a build: apt fetches over a TLS-inspecting proxy although the host's own store may not know its
/// authority. In a directory of its own that the unprivileged fetcher of apt can read.
/// </summary>
internal sealed class BuildAuthorities : IDisposable
{
    private const string HostBundle = "/etc/ssl/certs/ca-certificates.crt";

    private readonly string directory;

    private BuildAuthorities(string pem)
    {
        directory = Directory.CreateTempSubdirectory("vivarium-authorities-").FullName;
        File.SetUnixFileMode(directory, RootFiles.DirectoryMode);
        var files = new RootFiles(directory);
        files.Text("ca.crt", (File.Exists(HostBundle) ? File.ReadAllText(HostBundle).TrimEnd('\n') + "\n" : "") + pem);
    }

    /// <summary>Lines of apt configuration.</summary>
    public IReadOnlyList<string> AptOptions => [$"Acquire::https::CAInfo \"{directory}/ca.crt\";"];

    /// <summary>Null without authorities.</summary>
    public static BuildAuthorities? Of(string? pem) => pem is null ? null : new BuildAuthorities(pem);

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(directory, recursive: true);
}
