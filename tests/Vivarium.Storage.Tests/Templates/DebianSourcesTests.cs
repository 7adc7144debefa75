using Vivarium.Templates.Recipes;

namespace Vivarium.Storage.Tests.Templates;

public sealed class DebianSourcesTests
{
    [Fact]
    public void Only_Debians_own_entries_of_the_hosts_release_are_taken()
    {
        var apt = Directory.CreateTempSubdirectory("viv-apt-").FullName;
        Directory.CreateDirectory(apt + "/sources.list.d");
        Write(apt + "/sources.list", """
            # a comment
            deb http://mirror.example/debian trixie main contrib # trailing
            deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] https://mirror.example/repo/deb-security trixie-security main
            deb-src http://mirror.example/debian trixie main
            deb http://mirror.example/debian trixie-backports main
            deb https://vendor.example/debian/12/prod trixie main
            deb [signed-by=/etc/apt/keyrings/vendor.gpg] https://vendor.example/debian trixie main
            """);
        Write(apt + "/sources.list.d/vendor.sources", "Types: deb\nURIs: https://vendor.example/node\nSuites: nodistro\nComponents: main\n");
        Write(apt + "/sources.list.d/debian.sources", """
            Types: deb deb-src
            # comment inside
            URIs: http://one.example/debian
              http://two.example/debian/
            Suites: trixie trixie-updates
            Components: main non-free
            Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

            Enabled: no
            Types: deb
            URIs: http://three.example/debian
            Suites: trixie
            Components: main
            """);
        Write(apt + "/sources.list.d/ignored.list.bak", "deb http://four.example/debian trixie main\n");
        var sources = DebianSources.Read(apt, "trixie", "bookworm");
        Assert.Equal(
            ["http://mirror.example/debian bookworm", "https://mirror.example/repo/deb-security bookworm-security", "http://one.example/debian bookworm bookworm-updates",
             "http://two.example/debian/ bookworm bookworm-updates"],
            sources.Select(source => $"{source.Uri} {string.Join(' ', source.Suites)}"));
        Assert.All(sources, source => Assert.Equal(["main"], source.Components));
        Assert.Contains("Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n", DebianSources.Write(sources), StringComparison.Ordinal);
        Directory.Delete(apt, true);
    }

    private static void Write(string path, string text) => File.WriteAllBytes(path, System.Text.Encoding.UTF8.GetBytes(text));
}
