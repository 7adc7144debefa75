using Vivarium.Templates;
using Vivarium.Templates.Store;

namespace Vivarium.Storage.Tests.Templates;

public sealed class TemplateDigestTests
{
    [Fact]
    public async Task Everything_that_matters_changes_the_digest_and_times_do_not()
    {
        var root = Directory.CreateTempSubdirectory("viv-digest-").FullName;
        await Shell.RunAsync($"cd {root} && mkdir d && echo one > d/file && ln -s d/file link && mkfifo pipe");
        var seen = new List<string> { Digest(root) };
        await Shell.RunAsync($"cd {root} && touch -d @5 d/file d && cp d/file d/x && rm d/x");
        Assert.Equal(seen[0], Digest(root));
        foreach (var change in new[]
        {
            "echo two > d/file", "chmod 600 d/file", "chmod 4755 d/file", "chown 3 d/file", "chown :4 d/file", "ln -sfn elsewhere link", "mv pipe other", "rm other", "mkdir e",
            "python3 -c \"import os;os.setxattr('d/file','user.a',b'1')\"", "python3 -c \"import os;os.setxattr('d/file','user.a',b'2')\"",
        })
        {
            await Shell.RunAsync($"cd {root} && {change}");
            Assert.DoesNotContain(Digest(root), seen);
            seen.Add(Digest(root));
        }

        Assert.NotEqual(seen[^1], TemplateDigest.Compute(root, new TemplateMetadata { User = "user" }, CancellationToken.None).Digest);
        Assert.Equal(
            seen[^1], TemplateDigest.Compute(root, new TemplateMetadata { Description = "only words" }, CancellationToken.None).Digest);
        Directory.Delete(root, true);
    }

    private static string Digest(string root) => TemplateDigest.Compute(root, new TemplateMetadata(), CancellationToken.None).Digest;
}
