using System.IO.Compression;
using Vivarium.Host.Tests.Support;
using Vivarium.Linux.Processes;

namespace Vivarium.Host.Tests.Client;

/// <summary>The client as a NuGet package: complete in itself, documented.</summary>
public sealed class PackageTests
{
    [Fact]
    public async Task The_package_has_all_it_stands_on_and_depends_on_nothing()
    {
        using var output = new TestDirectory();
        var packed = await ChildRun.RunAsync(
            "dotnet",
            ["pack", "src/Vivarium.Client", "-c", "Release", "--no-build", "--nologo", "-v:q", "-nodeReuse:false", "-o", output.Path],
            new ChildRunOptions
            {
                Cwd = Repository.Root,
                Timeout = TimeSpan.FromMinutes(2),
                Env = [.. Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>().Select(static e => $"{e.Key}={e.Value}")],
            },
            TestContext.Current.CancellationToken);
        Assert.True(packed.Succeeded, packed.Summary + packed.StdoutText);
        using var package = ZipFile.OpenRead(Assert.Single(Directory.GetFiles(output.Path, "Vivarium.Client.*.nupkg")));
        var files = package.Entries.Select(e => e.FullName).ToList();
        foreach (var name in new[] { "Vivarium.Client", "Vivarium.Wire", "Vivarium.Transport", "Vivarium.Linux", "Vivarium.Configuration" })
        {
            Assert.Contains($"lib/net9.0/{name}.dll", files);
            Assert.Contains($"lib/net9.0/{name}.xml", files);
        }

        Assert.Contains("README.md", files);
        using var reader = new StreamReader(package.GetEntry("Vivarium.Client.nuspec")!.Open());
        var specification = await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.DoesNotContain("<dependency ", specification, StringComparison.Ordinal);
        Assert.Contains("Apache-2.0", specification, StringComparison.Ordinal);
    }
}
