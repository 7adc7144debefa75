using System.Text.Json;
using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Templates;

/// <summary>Templates from an image and out again, as a user does it: imported, run on each runtime, exported, removed.</summary>
[Collection(TinyCollection.Name)]
public sealed class TemplateTransferTests(PrivateDaemon daemon) : VivTest(daemon)
{
    [Fact]
    public async Task An_image_is_imported_run_on_each_runtime_and_exported_again()
    {
        var work = Directory.CreateDirectory(Path.Combine(Daemon.Home, "transfer")).FullName;
        await Tools.ShAsync($$"""
            cd {{work}} && mkdir -p root/bin root/etc root/srv root/tmp root/proc root/dev root/sys
            cp /bin/busybox root/bin/ && for name in sh id env pwd cat; do ln -s busybox root/bin/$name; done
            echo 'worker:x:1234:1234::/srv:/bin/sh' > root/etc/passwd && echo from-the-image > root/srv/file
            umoci init --layout layout && umoci new --image layout:app && tar -C root -cf layer.tar . && umoci raw add-layer --image layout:app layer.tar
            umoci config --image layout:app --config.user worker --config.workingdir /srv --config.env KIND=imported --config.env PATH=/bin --os linux --architecture amd64
            tar -C layout -cf layout.tar .
            """);
        var archive = await File.ReadAllBytesAsync(Path.Combine(work, "layout.tar"), TestContext.Current.CancellationToken);
        var reply = JsonDocument.Parse((await Viv.TryAsync(VivCall.Of("template", "import", "-", "--name", "moved-in", "--json") with { Input = archive })).MustSucceed().Stdout);
        var digest = reply.RootElement.GetProperty("template").GetProperty("digest").GetString()!;

        foreach (var runtime in new[] { "container", "gvisor" })
        {
            var ran = await Viv.RunAsync("run", "--runtime", runtime, "--template", $"moved-in@{digest}", "--", "sh", "-c", "id -u; pwd; echo $KIND; cat file");
            Assert.Equal((runtime, "1234\n/srv\nimported\nfrom-the-image\n"), (runtime, ran.Stdout));
        }

        var box = await Daemon.CreateAsync("--template", "moved-in", "--name", "lodger");
        (await Viv.TryAsync("template", "rm", "moved-in")).MustRefuse("template_in_use", "lodger");
        await box.DisposeAsync();

        var file = Path.Combine(work, "out.tar");
        await Viv.RunAsync("template", "export", "moved-in", "-o", file);
        var output = await Viv.TryAsync(new VivCall { Arguments = ["template", "export", "moved-in"], MaxOutputBytes = 64 << 20 });
        var written = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        Assert.True(output.MustSucceed().Output.Stdout.Span.SequenceEqual(written), "the same bytes to standard output as to a file");
        Assert.Equal(digest + "\n", (await Viv.RunAsync("template", "import", file, "--name", "again")).Stdout);
        (await Viv.TryAsync("template", "import", file, "--name", "again")).MustRefuse("template_exists", "--replace");
        (await Viv.TryAsync("template", "import", Path.Combine(work, "layer.tar"), "--name", "plain", "--platform", "linux/arm64")).MustRefuse("no image");
        (await Viv.TryAsync("template", "pull", "debian:12")).MustRefuse("not built yet", "viv template import");
        await Viv.RunAsync("template", "rm", "again", "moved-in");
        Directory.Delete(work, recursive: true);
    }
}
