using Vivarium.Cli.Install;
using Vivarium.Cli.Parsing;
using Vivarium.Linux.Processes;

namespace Vivarium.Cli.Tests;

/// <summary>Installing into a directory, upgrading, removing; the unit as systemd reads it.</summary>
public sealed class InstallTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly InstallLayout layout;
    private readonly string source;

    public InstallTests()
    {
        source = directory["build"];
        foreach (var program in new[] { "viv", "viv-guest", "viv-supervisor", "vivd/vivd", "vivd/vivd.dll" })
        {
            Put(program, "first " + program);
        }

        layout = new InstallLayout(directory["root"], "/usr/local");
    }

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Install_again_upgrade_and_uninstall()
    {
        Assert.NotEmpty(Do(Plan()));
        Assert.Equal("first viv", File.ReadAllText(Here("/usr/local/bin/viv")));
        Assert.Equal("first vivd/vivd.dll", File.ReadAllText(Here("/usr/local/lib/vivarium/vivd/vivd.dll")));
        Assert.Equal("../lib/vivarium/viv", new FileInfo(Here("/usr/local/bin/viv")).LinkTarget);
        Assert.True(File.GetUnixFileMode(Here("/usr/local/lib/vivarium/vivd/vivd")).HasFlag(UnixFileMode.OtherExecute));
        Assert.Contains("complete -F _viv viv", File.ReadAllText(Here("/usr/local/share/bash-completion/completions/viv")), StringComparison.Ordinal);
        Assert.Empty(Do(Plan()));

        // An operator's configuration stays; only what changed is written, and what runs keeps its file.
        File.AppendAllText(Here("/etc/vivarium/config.toml"), "# mine\n");
        using var running = File.OpenRead(Here("/usr/local/lib/vivarium/vivd/vivd.dll"));
        Put("vivd/vivd.dll", "second");
        Put("viv", "second viv");
        Assert.Equal(3, Do(Plan()).Count);
        Assert.Equal("second", File.ReadAllText(Here("/usr/local/lib/vivarium/vivd/vivd.dll")));
        Assert.Equal("first vivd/vivd.dll", new StreamReader(running).ReadToEnd());
        Assert.EndsWith("# mine\n", File.ReadAllText(Here("/etc/vivarium/config.toml")), StringComparison.Ordinal);
        Put("vivd/vivd.dll", "third");
        Do(Plan());
        Assert.Equal(2, Directory.GetDirectories(Here("/usr/local/lib/vivarium"), ".vivd-*").Length);

        Do(InstallPlan.Uninstall(layout, null!, purge: false));
        Assert.Equal(Here("/etc/vivarium/config.toml"), Assert.Single(Directory.EnumerateFiles(layout.Root, "*", SearchOption.AllDirectories)));
        Assert.Empty(Do(InstallPlan.Uninstall(layout, null!, purge: false)));
        Do(InstallPlan.Uninstall(layout, null!, purge: true));
        Assert.Empty(Directory.EnumerateFiles(layout.Root, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void An_installation_that_was_cut_off_is_completed_by_the_next()
    {
        foreach (var step in Plan().Take(5))
        {
            step.Do();
        }

        // As a kill in the middle of a copy, and a loss of power, leave it.
        var programs = Here("/usr/local/lib/vivarium");
        var daemon = Assert.Single(Directory.GetDirectories(programs, ".vivd-*"));
        var digits = new string('a', 32);
        File.WriteAllText(Path.Combine(daemon, "vivd.dll"), "");
        Directory.CreateDirectory($"{daemon}.{digits}");
        File.WriteAllText(Path.Combine(programs, $".viv-supervisor.{digits}"), "half");
        File.CreateSymbolicLink(Path.Combine(programs, $"vivd.{digits}"), Path.GetFileName(daemon));
        File.WriteAllText(Path.Combine(programs, "viv.mine"), "somebody's");

        Do(Plan());
        Assert.Equal("first vivd/vivd.dll", File.ReadAllText(Path.Combine(programs, "vivd", "vivd.dll")));
        Assert.Equal([daemon, .. new[] { "viv", "viv-guest", "viv-supervisor", "viv.mine", "vivd" }.Select(name => Path.Combine(programs, name))], Directory.GetFileSystemEntries(programs).Order(StringComparer.Ordinal));
        Assert.Empty(Do(Plan()));
    }

    [Fact]
    public void The_configuration_it_writes_is_valid_and_changes_nothing()
    {
        var file = directory.Write("config.toml", ConfigSkeleton.Text());
        var check = CliRun.Of(null, ["--config", file, "config", "check"]);
        Assert.Equal(0, check.Code);

        // Also with every line in force.
        var all = string.Join('\n', ConfigSkeleton.Text().Split('\n').Where(l => !l.StartsWith("# ", StringComparison.Ordinal)).Select(l => l.TrimStart('#')));
        var used = CliRun.Of(null, ["--config", directory.Write("all.toml", all), "config", "check"]);
        Assert.True(used.Code == 0, used.Output + used.Errors);
    }

    [Fact]
    public void The_manual_has_every_command_and_flag_and_no_stray_request()
    {
        var page = ManPage.Text();
        foreach (var verb in Verbs.All.Select(entry => entry.Make()))
        {
            Assert.Contains($"\n.SS viv {verb.Name}\n", page, StringComparison.Ordinal);
            Assert.All(verb.Options.Where(option => !option.Hidden), option => Assert.Contains(option.Name.Replace("-", "\\-", StringComparison.Ordinal) + "\\fR", page, StringComparison.Ordinal));
        }

        Assert.All(page, c => Assert.True(char.IsAscii(c), c.ToString()));
        string[] requests = ["TH", "SH", "SS", "TP", "PP", "B", "I", "RS", "RE", "nf", "fi"];
        Assert.All(page.Split('\n').Where(line => line.StartsWith('.')), line => Assert.Contains(line[1..].Split(' ')[0], requests));
        Assert.DoesNotContain(page.Split('\n'), line => line.StartsWith('\''));
    }

    [Fact]
    public async Task The_unit_is_what_systemd_accepts_and_gives_sandboxes_no_mount_namespace()
    {
        var text = UnitFile.Text("/bin/true", "/opt/dotnet");
        string[] settings = [.. text.Split('\n').Where(l => l.Length > 0 && l[0] is not '#' and not '[')];
        Assert.Contains("KillMode=process", settings);
        Assert.Contains("Delegate=yes", settings);
        Assert.Contains("RuntimeDirectoryPreserve=yes", settings);
        Assert.DoesNotContain(settings, l => l.StartsWith("Protect", StringComparison.Ordinal) || l.StartsWith("Private", StringComparison.Ordinal) || l.StartsWith("ReadWritePaths", StringComparison.Ordinal));
        const string analyze = "/usr/bin/systemd-analyze";
        Assert.SkipUnless(File.Exists(analyze), "systemd-analyze is not on this machine");
        string[] units = [directory.Write("vivarium.service", text), directory.Write("vivarium.socket", SocketUnitFile.Text("root"))];
        var output = await ChildRun.RunAsync(analyze, ["verify", "--man=no", .. units], new ChildRunOptions { Timeout = TimeSpan.FromSeconds(60) }, TestContext.Current.CancellationToken);
        var about = output.StderrText.Split('\n').Where(l => l.Contains("vivarium.s", StringComparison.Ordinal)).ToList();
        Assert.True(about.Count == 0, output.StderrText);
    }

    [Theory]
    [InlineData("install", "relative")]
    [InlineData("install", "/a/../b")]
    [InlineData("uninstall", "/a b")]
    public void Odd_prefixes_are_refused(string verb, string prefix)
    {
        var run = CliRun.Of(null, [verb, "--root", directory["r"], "--prefix", prefix, "--dry-run"]);
        Assert.Equal(125, run.Code);
        Assert.Contains("--prefix must be an absolute path", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_changed_without_a_yes()
    {
        Do(Plan());
        var asked = CliRun.Of(null, ["uninstall", "--root", layout.Root]);
        Assert.Equal(125, asked.Code);
        Assert.Contains("there is nobody to ask", asked.Errors, StringComparison.Ordinal);
        Assert.Contains("/usr/local/lib/vivarium", asked.Output, StringComparison.Ordinal);
        var dry = CliRun.Of(null, ["uninstall", "--root", layout.Root, "--dry-run", "--json"]);
        Assert.Equal(0, dry.Code);
        Assert.Contains("\"done\": false", dry.Output, StringComparison.Ordinal);
        Assert.True(File.Exists(Here("/usr/local/bin/viv")));
        Assert.Equal(0, CliRun.Of(null, ["uninstall", "--root", layout.Root, "--yes"]).Code);
        Assert.False(File.Exists(Here("/usr/local/bin/viv")));
    }

    private IReadOnlyList<InstallStep> Plan() => InstallPlan.Install(layout, source, null!);

    private string Here(string path) => layout.Here(path);

    private void Put(string name, string text)
    {
        var path = Path.Combine(source, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, System.Text.Encoding.UTF8.GetBytes(text));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static List<InstallStep> Do(IReadOnlyList<InstallStep> plan)
    {
        List<InstallStep> done = [];
        foreach (var step in plan)
        {
            if (!step.IsDone())
            {
                step.Do();
                Assert.True(step.IsDone(), step.Target);
                done.Add(step);
            }
        }

        return done;
    }
}
