using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Run;

/// <summary>What the first screen of the README promises.</summary>
[Collection(TinyCollection.Name)]
public sealed class FirstCommandTests(PrivateDaemon daemon) : VivTest(daemon)
{
    [Theory, MemberData(nameof(Runtimes))]
    public async Task Uname_answers_from_inside_the_sandbox(string runtime)
    {
        var result = await Viv.RunAsync("run", "--runtime", runtime, "--", "uname", "-a");
        Assert.StartsWith("Linux ", result.Stdout, StringComparison.Ordinal);
        var hostname = (await File.ReadAllTextAsync("/proc/sys/kernel/hostname", TestContext.Current.CancellationToken)).Trim();
        Assert.DoesNotContain($"Linux {hostname} ", result.Stdout, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task Exit_codes_pass_through(string runtime)
    {
        (await Viv.TryAsync("run", "--runtime", runtime, "--", "sh", "-c", "exit 7")).MustEndWith(7);
        (await Viv.TryAsync("run", "--runtime", runtime, "--", "sh", "-c", "exit 255")).MustEndWith(255);
        (await Viv.TryAsync("run", "--runtime", runtime, "--", "sh", "-c", "kill -TERM $$")).MustEndWith(128 + 15);
        (await Viv.TryAsync("run", "--runtime", runtime, "--", "sh", "-c", "kill -KILL $$")).MustEndWith(128 + 9);
    }

    [Fact]
    public async Task A_command_that_is_not_there_is_127_and_one_that_cannot_run_126()
    {
        var missing = (await Viv.TryAsync("run", "--", "no-such-program")).MustEndWith(127);
        Assert.Contains("no-such-program", missing.Stderr, StringComparison.Ordinal);
        (await Viv.TryAsync("run", "--", "/etc/passwd")).MustEndWith(126);
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task Standard_input_goes_in_and_ends(string runtime)
    {
        var result = await Viv.TryAsync(VivCall.Of("run", "--runtime", runtime, "--", "cat") with { Input = VivCall.Text("hi\n") });
        Assert.Equal("hi\n", result.MustSucceed().Stdout);
    }

    [Fact]
    public async Task Output_and_errors_stay_apart_and_nothing_is_added()
    {
        var result = await Viv.RunAsync("run", "--", "sh", "-c", "echo out; echo err >&2");
        Assert.Equal("out\n", result.Stdout);
        Assert.Equal("err\n", result.Stderr);
    }

    [Fact]
    public async Task Binary_bytes_come_through_unchanged()
    {
        var bytes = new byte[300_000];
        new Random(7).NextBytes(bytes);
        var result = await Viv.TryAsync(VivCall.Of("run", "--", "cat") with { Input = bytes });
        Assert.Equal(bytes, result.MustSucceed().Output.Stdout.ToArray());
    }

    [Fact]
    public async Task Nothing_of_the_hosts_environment_leaks_in()
    {
        var result = await Viv.TryAsync(VivCall.Of("run", "-e", "GIVEN=yes", "--", "env") with { Env = new Dictionary<string, string> { ["HOST_SECRET"] = "leaked" } });
        Assert.Contains("GIVEN=yes", result.MustSucceed().Stdout, StringComparison.Ordinal);
        Assert.DoesNotContain("HOST_SECRET", result.Stdout, StringComparison.Ordinal);
        Assert.DoesNotContain("VIV_TOKEN", result.Stdout, StringComparison.Ordinal);
        Assert.DoesNotContain("VIVARIUM_", result.Stdout, StringComparison.Ordinal);
    }

    [Fact]
    public async Task User_working_directory_name_and_host_name_are_as_asked()
    {
        var result = await Viv.RunAsync("run", "--name", "named-box", "--workdir", "/tmp", "--", "sh", "-c", "pwd; hostname; id -u");
        Assert.Equal("/tmp\nnamed-box\n0\n", result.Stdout);
    }

    [Fact]
    public async Task Auto_chooses_a_runtime_that_isolates()
    {
        await using var sandbox = await Daemon.CreateAsync();
        var info = await sandbox.ShowAsync();
        Assert.Equal("container", info.GetProperty("runtime").GetString());
        Assert.True(info.GetProperty("isolated").GetBoolean());
    }

    [Fact]
    public async Task The_vm_runtime_is_refused_with_a_clear_sentence()
    {
        (await Viv.TryAsync("run", "--runtime", "vm", "--", "true")).MustRefuse("vm", "not built yet");
        Assert.Empty(await Daemon.ListAsync());
    }

    [Fact]
    public async Task Direct_is_refused_unless_the_configuration_allows_it()
    {
        (await Viv.TryAsync("run", "--runtime", "direct", "--", "true")).MustRefuse("allow_direct");
        Assert.Empty(await Daemon.ListAsync());
    }

    [Fact]
    public async Task A_command_that_needs_the_daemon_starts_it()
    {
        await Daemon.Viv.RunAsync("daemon", "stop");
        Assert.Equal("up\n", (await Viv.RunAsync("run", "--", "echo", "up")).Stdout);
    }
}
