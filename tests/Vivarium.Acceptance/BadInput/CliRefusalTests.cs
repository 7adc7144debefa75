using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.BadInput;

/// <summary>Bad input on the command line: exit 125, a sentence that names the thing, nothing changed and nothing leaked.</summary>
[Collection(TinyCollection.Name)]
public sealed class CliRefusalTests(PrivateDaemon daemon) : VivTest(daemon)
{
    public static TheoryData<string, string> BadCalls => new()
    {
        { "run --no-such-flag -- true", "no-such-flag" },
        { "lss", "lss" },
        { "show no-such-box", "no-such-box" },
        { "exec no-such-box -- true", "no-such-box" },
        { "rm no-such-box", "no-such-box" },
        { "stop no-such-box", "no-such-box" },
        { "logs no-such-box", "no-such-box" },
        { "run --runtime spaceship -- true", "spaceship" },
        { "run --template no-such-template -- true", "no-such-template" },
        { "run --name Not_A_Label -- true", "Not_A_Label" },
        { "run --name ../escape -- true", "../escape" },
        { "run --memory lots -- true", "lots" },
        { "run --memory 1KiB -- true", "memory" },
        { "run --memory -5MiB -- true", "memory" },
        { "run --cpus zero -- true", "zero" },
        { "run --cpus 0 -- true", "cpus" },
        { "run --pids few -- true", "few" },
        { "run --timeout soon -- true", "soon" },
        { "run --on-timeout explode -- true", "explode" },
        { "run --net wormhole -- true", "wormhole" },
        { "run --user no-such-user -- true", "no-such-user" },
        { "run --workdir /no/such/dir -- true", "/no/such/dir" },
        { "run -v /no/such/host/path:/mnt -- true", "/no/such/host/path" },
        { "run -v relative:/mnt -- true", "relative" },
        { "run -v /tmp:/proc/x -- true", "/proc" },
        { "run -v /tmp:mnt -- true", "mnt" },
        { "run -e =x -- true", "-e" },
        { "run --env-file /no/such/file -- true", "/no/such/file" },
        { "cp /no/such/file no-such-box:/tmp/x", "no-such" },
        { "template show no-such-template", "no-such-template" },
        { "template build no-such-recipe", "no-such-recipe" },
        { "template rm no-such-template", "no-such-template" },
        { "kill no-such-box 1", "no-such-box" },
        { "--config /no/such/config.toml ls", "/no/such/config.toml" },
    };

    [Theory, MemberData(nameof(BadCalls))]
    public async Task Refused_with_a_sentence_and_exit_code_125(string line, string word)
    {
        var count = (await Daemon.ListAsync()).Count;
        (await Viv.TryAsync(line.Split(' '))).MustRefuse(word);
        Assert.Equal(count, (await Daemon.ListAsync()).Count);
    }

    [Fact]
    public async Task A_name_that_is_taken_is_refused_and_the_first_lives_on()
    {
        await using var first = await Daemon.CreateAsync("--name", "taken");
        (await Viv.TryAsync("create", "--name", "taken")).MustRefuse("taken", "exists");
        Assert.Equal("running", await first.StateAsync());
    }

    [Fact]
    public async Task Exec_of_an_unknown_user_directory_process_or_path_names_it()
    {
        await using var box = await Daemon.CreateAsync();
        (await Viv.TryAsync("exec", "-u", "nobody-here", box.Id, "--", "true")).MustRefuse("nobody-here");
        (await Viv.TryAsync("exec", "-w", "/no/dir", box.Id, "--", "true")).MustRefuse("/no/dir");
        (await Viv.TryAsync("kill", box.Id, "99999")).MustRefuse("99999");
        (await Viv.TryAsync("attach", box.Id, "99999")).MustRefuse("99999");
        (await Viv.TryAsync("logs", box.Id, "99999")).MustRefuse("99999");
        (await Viv.TryAsync("cp", $"{box.Id}:/no/such", Daemon.Home)).MustRefuse("/no/such");
    }

    public static TheoryData<string, string> BadConfigs => new()
    {
        { "[pool]\nsize = \"1 parsec\"", "size" },
        { "[pool]\nsize = 12.5", "size" },
        { "[daemon]\nlog_levle = \"info\"", "log_levle" },
        { "[no_such_section]\nkey = 1", "no_such_section" },
        { "[defaults\ncpus = 2", "config" },
        { "[defaults]\ncpus = \"two\"", "cpus" },
        { "[paths]\nstate = \"relative/dir\"", "state" },
        { "[defaults]\nruntime = \"spaceship\"", "spaceship" },
        { "[defaults]\ncpus = 1\ncpus = 2", "cpus" },
        { "\u0000", "config" },
    };

    [Theory, MemberData(nameof(BadConfigs))]
    public async Task A_malformed_configuration_is_refused_with_file_and_key(string text, string word)
    {
        var file = Path.Combine(Daemon.Home, "bad.toml");
        File.WriteAllText(file, text);
        (await Viv.TryAsync("--config", file, "ls")).MustRefuse(file, word);
        File.Delete(file);
    }

    [Fact]
    public async Task A_wrong_environment_variable_is_named()
    {
        var result = await Viv.TryAsync(VivCall.Of("ls") with { Env = new Dictionary<string, string> { ["VIVARIUM_POOL_SIZE"] = "many" } });
        result.MustRefuse("VIVARIUM_POOL_SIZE");
    }
}
