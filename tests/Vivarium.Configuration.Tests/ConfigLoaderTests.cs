using Vivarium.Configuration.Values;
using Vivarium.Wire.Errors;

namespace Vivarium.Configuration.Tests;

public sealed class ConfigLoaderTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("vivarium-config-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Defaults_for_root_and_for_others()
    {
        var root = Load(new ConfigSources { File = Write("") });
        Assert.Equal(("/var/lib/vivarium", "/run/vivarium"), (root.Paths.State, root.Paths.Runtime));
        Assert.Equal(ByteSize.FromGiB(1), root.Defaults.Memory);
        Assert.Null(root.Defaults.Timeout);

        var other = Load(new ConfigSources { File = Write(""), Privileged = false, Environment = Env(("HOME", "/home/u"), ("XDG_RUNTIME_DIR", "/run/user/1000")) });
        Assert.Equal(("/home/u/.local/state/vivarium", "/run/user/1000/vivarium"), (other.Paths.State, other.Paths.Runtime));
    }

    [Fact]
    public void The_usual_file_may_be_absent_and_a_named_one_may_not()
    {
        Assert.Empty(Load(new ConfigSources { Privileged = false, Environment = Env(("XDG_CONFIG_HOME", _directory)) }).Files);
        var missing = Path.Combine(_directory, "none.toml");
        Assert.Equal([$"{missing}: the file does not exist"], Errors(new ConfigSources { File = missing }));
        Assert.Equal([$"{missing}: the file does not exist"], Errors(new ConfigSources { Environment = Env(("VIVARIUM_CONFIG", missing)) }));
    }

    [Fact]
    public void Flags_win_over_environment_over_file()
    {
        var file = Write("[defaults]\ncpus = 1\npids = 100\nmemory = \"2GiB\"\n");
        var config = Load(new ConfigSources
        {
            File = file,
            Environment = Env(("VIVARIUM_DEFAULTS_CPUS", "3"), ("VIVARIUM_DEFAULTS_PIDS", "200")),
            Flags = [new("defaults.cpus", "4.5")],
        });
        Assert.Equal((4.5, 200, ByteSize.FromGiB(2)), (config.Defaults.Cpus, config.Defaults.Pids, config.Defaults.Memory));
        Assert.Equal("flag", Source(config, "defaults.cpus"));
        Assert.Equal("environment", Source(config, "defaults.pids"));
        Assert.Equal($"{file}:4", Source(config, "defaults.memory"));
        Assert.Equal("default", Source(config, "defaults.template"));
    }

    [Fact]
    public void Every_key_can_be_set_from_its_dumped_value()
    {
        var before = Load(new ConfigSources { File = Write("[limits]\nmax_cpus = 8\nmax_memory = \"8GiB\"\nmax_timeout = \"2h30m\"\n[defaults]\ntimeout = 90\n") });
        var text = string.Concat(before.Settings.Select(setting => $"{setting.Key} = {setting.Value}\n"));
        var after = Load(new ConfigSources { File = Write(text) });
        Assert.Equal(before.Settings.Select(s => (s.Key, s.Value)), after.Settings.Select(s => (s.Key, s.Value)));
        Assert.Equal(TimeSpan.FromMinutes(150), after.Limits.MaxTimeout);
        Assert.Equal(before.Settings.Count, before.Settings.Select(s => s.Key).Distinct().Count());
    }

    [Fact]
    public void All_errors_are_reported_with_place_key_and_suggestion()
    {
        var file = Write("""
            [defaults]
            memroy = "1GiB"
            cpus = "two"
            pids = 3
            timeout = "soon"
            on_timeout = "kil"
            [path]
            state = "/x"
            [runtime]
            memory = "1GiB"
            allow_direct = "yes"
            [paths]
            runtime = "relative"
            """);
        Assert.Equal(
            [
                $"{file}:2: defaults.memroy: there is no such key; did you mean 'memory'?",
                $"{file}:3: defaults.cpus: must be a number, not a string",
                $"{file}:4: defaults.pids: must be 16 to 4194304, not 3",
                $"{file}:5: defaults.timeout: must be a duration such as \"90s\" or \"2h30m\" of at most 3650 days, not \"soon\"",
                $"{file}:6: defaults.on_timeout: must be one of kill, pause, not \"kil\"; did you mean \"kill\"?",
                $"{file}:7: path: there is no such section; did you mean 'paths'?",
                $"{file}:10: runtime.memory: there is no such key; did you mean 'defaults.memory'?",
                $"{file}:11: runtime.allow_direct: must be true or false, not a string",
                $"{file}:13: paths.runtime: must be an absolute path",
            ],
            Errors(new ConfigSources { File = file }));
    }

    [Fact]
    public void Syntax_errors_name_line_and_column()
    {
        var file = Write("[defaults]\ncpus = 2,5\n");
        Assert.Equal([$"{file}:2:9: unexpected ','; expected the end of the line"], Errors(new ConfigSources { File = file }));
    }

    [Theory]
    [InlineData("VIVARIUM_DEFAULTS_MEMROY", "1", "did you mean 'VIVARIUM_DEFAULTS_MEMORY'?")]
    [InlineData("VIVARIUM_PATH_STATE", "/x", "did you mean 'VIVARIUM_PATHS_STATE'?")]
    [InlineData("VIVARIUM_DEFAULTS_CPUS", "", "must be a number")]
    [InlineData("VIVARIUM_DEFAULTS_CPUS", "NaN", "must be 0.01 to 1024")]
    [InlineData("VIVARIUM_PATHS_RUNTIME", "/a/../b", "must not contain")]
    [InlineData("VIVARIUM_PATHS_RUNTIME", "/this/path/is/much/too/long/for/a/unix/socket/to/live/below/it/really", "at most 60 bytes")]
    public void Bad_environment(string name, string value, string expected)
    {
        var error = Assert.Single(Errors(new ConfigSources { File = Write(""), Environment = Env((name, value)) }));
        Assert.StartsWith($"environment {name}", error, StringComparison.Ordinal);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Variables_of_other_programs_are_left_alone() =>
        Load(new ConfigSources { File = Write(""), Environment = Env(("VIVARIUM_HOME", "x"), ("VIVARIUM_BENCH_RUNS", "3"), ("PATH", "/bin")) });

    [Fact]
    public void Unknown_flag() =>
        Assert.Equal(["--set: limit.max_cpus: there is no such key; did you mean 'limits.max_cpus'?"], Errors(new ConfigSources { File = Write(""), Flags = [new("limit.max_cpus", "1")] }));

    [Fact]
    public void A_default_nobody_chose_follows_a_lower_limit_and_a_chosen_one_is_refused()
    {
        var config = Load(new ConfigSources { File = Write("[limits]\nmax_memory = \"512MiB\"\n") });
        Assert.Equal(ByteSize.FromMiB(512), config.Defaults.Memory);
        Assert.Equal("limits.max_memory", Source(config, "defaults.memory"));

        var file = Write("[limits]\nmax_memory = \"512MiB\"\n[defaults]\nmemory = \"2GiB\"\n");
        Assert.Equal([$"{file}:4: defaults.memory: exceeds limits.max_memory (2GiB > 512MiB)"], Errors(new ConfigSources { File = file }));
    }

    [Fact]
    public void Direct_by_default_needs_permission()
    {
        Assert.Single(Errors(new ConfigSources { File = Write("[defaults]\nruntime = \"direct\"\n") }));
        Load(new ConfigSources { File = Write("defaults.runtime = \"direct\"\nruntime.allow_direct = true\n") });
    }

    [Fact]
    public void Bad_files_are_named()
    {
        Assert.Equal([$"{_directory}: is a directory, not a file"], Errors(new ConfigSources { File = _directory }));
        var latin = Path.Combine(_directory, "latin.toml");
        File.WriteAllBytes(latin, [(byte)'#', 0xe9, (byte)'\n']);
        Assert.Equal([$"{latin}: the file is not valid UTF-8"], Errors(new ConfigSources { File = latin }));
        var big = Path.Combine(_directory, "big.toml");
        File.WriteAllBytes(big, new byte[ConfigLimit + 1]);
        Assert.Equal([$"{big}: the file is larger than 1 MiB"], Errors(new ConfigSources { File = big }));
    }

    [Fact]
    public void Load_throws_one_error_that_lists_all()
    {
        var error = Assert.Throws<VivariumException>(() => ConfigLoader.Load(new ConfigSources { File = Write("x = 1\ny = 2\n") }));
        Assert.Equal((ErrorCode.InvalidArgument, "invalid_config"), (error.Code, error.Reason));
        Assert.Contains("2 errors", error.Message, StringComparison.Ordinal);
        Assert.Contains(":2: y: there is no such section", error.Message, StringComparison.Ordinal);
    }

    private const int ConfigLimit = 1024 * 1024;

    private static VivariumConfig Load(ConfigSources sources) => ConfigLoader.Load(sources);

    private static string[] Errors(ConfigSources sources) => [.. ConfigLoader.Read(sources).Errors.Select(error => error.ToString())];

    private static string Source(VivariumConfig config, string key) => config.Settings.Single(setting => setting.Key == key).Source;

    private static Dictionary<string, string> Env(params (string Name, string Value)[] variables) => variables.ToDictionary(v => v.Name, v => v.Value);

    private string Write(string text)
    {
        var path = Path.Combine(_directory, $"{Guid.NewGuid():n}.toml");
        using var writer = new StreamWriter(path);
        writer.Write(text);
        return path;
    }
}
