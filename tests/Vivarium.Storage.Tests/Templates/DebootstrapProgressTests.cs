using System.Text;
using Vivarium.Templates;
using Vivarium.Templates.Recipes;

namespace Vivarium.Storage.Tests.Templates;

public sealed class DebootstrapProgressTests
{
    private const string Said = """
        I: running apt-get update...
        Get:1 http://mirror.example/debian bookworm InRelease [151 kB]
        I: downloading packages with apt...
        0 upgraded, 4 newly installed, 0 to remove and 1 not upgraded.
        Get:1 http://mirror.example/debian bookworm/main amd64 libc6 amd64 2.36-9 [2759 kB]
        Get:2 http://mirror.example/debian bookworm/main amd64 bash amd64 5.2.15 [1491 kB]
        I: extracting archives...
        I: installing essential packages...
        Unpacking libc6:amd64 (2.36-9) ...
        Setting up libc6:amd64 (2.36-9) ...
        1 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.
        Setting up bash (5.2.15) ...
        I: installing remaining packages inside the chroot...
        0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.
        Get:1 http://mirror.example/debian bookworm/main amd64 git amd64 1:2.39 [7 MB]
        Unpacking git (1:2.39) ...
        Setting up git (1:2.39) ...
        I: cleaning package lists and apt cache...

        """;

    [Fact]
    public void Stages_and_fractions_follow_what_is_said_in_any_pieces()
    {
        foreach (var piece in new[] { 1, 7, 100_000 })
        {
            var seen = new List<TemplateProgress>();
            var progress = new DebootstrapProgress(seen.Add);
            var bytes = Encoding.UTF8.GetBytes(Said);
            for (var i = 0; i < bytes.Length; i += piece)
            {
                progress.Take(bytes.AsMemory(i, Math.Min(piece, bytes.Length - i)), 2);
            }

            Assert.Equal(
                ["index 0.02", "index 0.02", "download 0.06", "download 0.07", "download 0.08", "extract 0.1", "configure 0.14", "configure 0.23", "configure 0.32",
                 "download 0.5", "download 0.53", "extract 0.66", "configure 0.845", "finish 0.93"],
                seen.Select(p => FormattableString.Invariant($"{p.Stage} {p.Fraction}")));
            Assert.Equal("setting up git", seen[^2].Message);
        }
    }

    [Fact]
    public void Errors_are_kept_for_the_message_and_garbage_is_bounded()
    {
        var progress = new DebootstrapProgress(_ => { });
        progress.Take(new byte[1_000_000], 1);
        progress.Take(Encoding.UTF8.GetBytes("\nE: Unable to locate package nothing\n"), 1);
        progress.Take(Encoding.UTF8.GetBytes(" newly installed, \nGet:\nSetting up \nUnpacking \n"), 2);
        Assert.Equal("E: Unable to locate package nothing", progress.Errors);
    }
}
