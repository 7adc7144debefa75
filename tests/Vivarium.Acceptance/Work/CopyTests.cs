using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Work;

/// <summary>viv cp in its smaller forms, and what it must refuse.</summary>
[Collection(TinyCollection.Name)]
public sealed class CopyTests(PrivateDaemon daemon) : VivTest(daemon)
{
    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_file_goes_in_and_out_with_its_mode(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        var script = Path.Combine(Daemon.Home, "script.sh");
        File.WriteAllText(script, "#!/bin/sh\necho ran\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await Viv.RunAsync("cp", script, $"{box.Name}:/usr/local/bin/hello");
        Assert.Equal("ran\n", (await box.TryExecAsync("/usr/local/bin/hello")).MustSucceed().Stdout);
        await Viv.RunAsync("cp", script, $"{box.Name}:/tmp/");
        Assert.Equal("ran\n", (await box.TryExecAsync("/tmp/script.sh")).MustSucceed().Stdout);
        var back = Path.Combine(Daemon.Home, "back.sh");
        await Viv.RunAsync("cp", $"{box.Name}:/usr/local/bin/hello", back);
        Assert.Equal(await File.ReadAllTextAsync(script, TestContext.Current.CancellationToken), await File.ReadAllTextAsync(back, TestContext.Current.CancellationToken));
        Assert.Equal(File.GetUnixFileMode(script), File.GetUnixFileMode(back));
        File.Delete(script);
        File.Delete(back);
    }

    [Fact]
    public async Task A_tar_on_standard_input_and_output()
    {
        await using var box = await Daemon.CreateAsync();
        var tar = (await Tools.ShAsync($"cd {Daemon.Home} && mkdir -p t/sub && echo one >t/sub/file && tar -c -C t . && rm -r t")).Stdout;
        (await Viv.TryAsync(VivCall.Of("cp", "-", $"{box.Id}:/srv/t") with { Input = tar })).MustSucceed();
        Assert.Equal("one\n", (await box.ShAsync("cat /srv/t/sub/file")).Stdout);
        var output = await Viv.RunAsync("cp", $"{box.Id}:/srv/t", "-");
        var file = Path.Combine(Daemon.Home, "out.tar");
        await File.WriteAllBytesAsync(file, output.Output.Stdout.ToArray(), TestContext.Current.CancellationToken);
        Assert.Contains("sub/file", (await Tools.RunAsync("tar", "-tf", file)).StdoutText, StringComparison.Ordinal);
        File.Delete(file);
    }

    [Fact]
    public async Task An_archive_cannot_write_outside_its_target()
    {
        await using var box = await Daemon.CreateAsync();
        var tar = (await Tools.ShAsync($"cd {Daemon.Home} && mkdir -p e && echo evil >e/f && tar -c -P --transform 's,^e/f,../../../etc/evil,' e/f && rm -r e")).Stdout;
        var result = await Viv.TryAsync(VivCall.Of("cp", "-", $"{box.Id}:/srv/deep/er/target") with { Input = tar });
        Assert.NotEqual(0, result.Code);
        (await box.TryExecAsync("test", "-e", "/etc/evil")).MustEndWith(1);
    }

    [Fact]
    public async Task A_link_made_inside_cannot_lead_a_copy_out_to_the_host()
    {
        await using var box = await Daemon.CreateAsync();
        await box.ShAsync("mkdir -p /srv/out && ln -s /etc/shadow /srv/out/link && ln -s ../../../../../../etc /srv/out/dir");
        var back = Path.Combine(Daemon.Home, "links");
        await Viv.RunAsync("cp", $"{box.Id}:/srv/out", back);
        Assert.Equal("/etc/shadow", new FileInfo(Path.Combine(back, "link")).LinkTarget);
        await Viv.TryAsync("cp", back, $"{box.Id}:/srv/again");
        (await box.TryExecAsync("grep", "-q", "root:", "/srv/again/link")).MustEndWith(await GuestHasShadowAsync(box) ? 0 : 2);
        Directory.Delete(back, recursive: true);
    }

    [Fact]
    public async Task A_read_only_share_cannot_be_written_not_even_by_remounting()
    {
        var shared = Directory.CreateDirectory(Path.Combine(Daemon.Home, "shared")).FullName;
        File.WriteAllText(Path.Combine(shared, "file"), "host\n");
        await using (var box = await Daemon.CreateAsync("-v", $"{shared}:/mnt/shared:ro"))
        {
            Assert.Equal("host\n", (await box.ShAsync("cat /mnt/shared/file")).Stdout);
            Assert.NotEqual(0, (await box.TryExecAsync("sh", "-c", "echo guest >/mnt/shared/file")).Code);
            await box.TryExecAsync("mount", "-o", "remount,rw", "/mnt/shared");
            Assert.NotEqual(0, (await box.TryExecAsync("sh", "-c", "echo guest >/mnt/shared/file")).Code);
        }

        Assert.Equal("host\n", await File.ReadAllTextAsync(Path.Combine(shared, "file"), TestContext.Current.CancellationToken));
        Directory.Delete(shared, recursive: true);
    }

    private static async Task<bool> GuestHasShadowAsync(TestSandbox box) =>
        (await box.TryExecAsync("grep", "-q", "root:", "/etc/shadow")).Code == 0;
}
