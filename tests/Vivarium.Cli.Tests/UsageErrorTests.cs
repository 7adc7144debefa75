namespace Vivarium.Cli.Tests;

/// <summary>Wrong command lines: a sentence, a suggestion, exit code 125, nothing asked of the daemon.</summary>
public sealed class UsageErrorTests
{
    [Theory]
    [InlineData("lss", "unknown command 'lss' for 'viv'", "did you mean 'viv ls'?")]
    [InlineData("frobnicate", "unknown command 'frobnicate' for 'viv'", "'viv --help' lists the commands")]
    [InlineData("--vesion", "unknown flag '--vesion' for 'viv'", "'viv --help' lists commands and flags")]
    [InlineData("ls --jsn", "unknown flag '--jsn' for 'viv ls'", "did you mean '--json'?")]
    [InlineData("ls extra", "unexpected word 'extra' for 'viv ls'", "usage: viv ls [flags]")]
    [InlineData("ls -- x", "'viv ls' takes no command after '--'", null)]
    [InlineData("exec", "'viv exec' needs SANDBOX", "usage: viv exec [flags] SANDBOX -- CMD [ARG…]")]
    [InlineData("exec sb", "exec needs a command", "viv exec SANDBOX -- CMD; 'viv shell SANDBOX' opens a shell")]
    [InlineData("exec sb ls -la", "unknown flag '-la' for 'viv exec'", "options of the command to run go after '--'; 'viv exec --help' lists viv's own")]
    [InlineData("template", "'viv template' needs a command: ls, show, build, import, export, pull, tag, rm", "'viv template --help' describes them")]
    [InlineData("template buld", "unknown command 'buld' for 'viv template'", "did you mean 'viv template build'?")]
    [InlineData("run --memory", "--memory needs a value", "'viv run --help' describes it")]
    [InlineData("run --memory 12x -- true", "--memory must be a size such as 512MiB or 1.5GiB, not '12x'", null)]
    [InlineData("run --timeout soon -- true", "--timeout must be a duration such as 90s or 2h30m, not 'soon'", null)]
    [InlineData("run --cpus 0 -- true", "--cpus must be a number above 0, not '0'", null)]
    [InlineData("run --runtime contaner -- true", "--runtime must be one of auto, container, gvisor, vm, direct, not 'contaner'", "did you mean 'container'?")]
    [InlineData("run --label x -- true", "--label must be KEY=VALUE, not 'x'", null)]
    [InlineData("run --volume /tmp -- true", "--volume must be HOST:GUEST or HOST:GUEST:ro with an absolute GUEST path, not '/tmp'", null)]
    [InlineData("run --name a --name b -- true", "--name is given more than once", null)]
    [InlineData("run --rm -d -- true", "--rm and --detach contradict each other", "without either, the sandbox is removed at the end")]
    [InlineData("run --secret KEY=hunter2 -- true", "--secret KEY: a value on the command line can be read by every user of this machine, so it is refused", "use --secret KEY (our variable KEY), KEY=env:VAR, KEY=file:PATH, or KEY=- for standard input")]
    [InlineData("run --secret ../x -- true", "--secret: a name is made of letters, digits, '_', '-' and '.'", null)]
    [InlineData("rm", "name at least one sandbox", "'viv ls' lists them; --all means every one")]
    [InlineData("rm -a x", "--all and names contradict each other", null)]
    [InlineData("kill sb", "'viv kill' needs PID…", "usage: viv kill [flags] SANDBOX PID…")]
    [InlineData("kill -s TREM sb 1", "--signal: there is no signal 'TREM'", "did you mean TERM?")]
    [InlineData("kill -s 65 sb 1", "--signal must be a signal from 1 to 64, not '65'", null)]
    [InlineData("cp a b", "cp copies between this machine and a sandbox", "one side is SANDBOX:PATH, the other a path here or -")]
    [InlineData("cp a:x b:y", "cp copies between this machine and a sandbox", "one side is SANDBOX:PATH, the other a path here or -")]
    [InlineData("completion tcsh", "SHELL must be one of bash, zsh, fish, not 'tcsh'", null)]
    public void Are_explained(string line, string message, string? hint)
    {
        using var daemon = new FakeDaemon();
        var run = CliRun.Of(daemon, line.Split(' '));
        Assert.Equal($"error: {message} (invalid_argument, usage)\n{(hint is null ? "" : $"hint: {hint}\n")}", run.Errors);
        Assert.Equal((125, ""), (run.Code, run.Output));
        Assert.Empty(daemon.Asked);
    }

    [Fact]
    public void A_path_that_is_a_command_is_recognised()
    {
        using var daemon = new FakeDaemon();
        var run = CliRun.Of(daemon, ["run", "uname"]);
        Assert.Equal("error: there is no folder uname (not_found)\nhint: to run a command, put it after '--': viv run -- uname\n", run.Errors);
    }

    [Fact]
    public void With_json_the_error_is_json_on_standard_output()
    {
        var run = CliRun.Of(null, ["ls", "--json", "--stat", "x"]);
        Assert.Equal((125, ""), (run.Code, run.Errors));
        Golden.Check("error.json", run.Output);
    }

    [Fact]
    public void A_bad_configuration_is_reported_whole()
    {
        using var directory = new TemporaryDirectory();
        var file = directory.Write("c.toml", "[defaults]\nmemroy = 1\n[nope]\n");
        var run = CliRun.Of(null, ["--config", file, "ls"]);
        Assert.Equal(125, run.Code);
        Assert.Contains($"{file}:2: defaults.memroy: there is no such key; did you mean 'memory'?", run.Errors, StringComparison.Ordinal);
        Assert.Contains($"{file}:3: nope: there is no such section", run.Errors, StringComparison.Ordinal);
    }
}
