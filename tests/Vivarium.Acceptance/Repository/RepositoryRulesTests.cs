using System.Text.RegularExpressions;
using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Repository;

/// <summary>Rules of the repository that no compiler checks.</summary>
public sealed partial class RepositoryRulesTests
{
    private static readonly string[] Folders = ["src", "tests", "bench", "eng", "docs", ".ci"];

    private static IEnumerable<string> Files(params string[] endings) =>
        Folders.Select(f => Path.Combine(Checkout.Root, f)).Where(Directory.Exists)
            .SelectMany(f => Directory.EnumerateFiles(f, "*", SearchOption.AllDirectories))
            .Concat(Directory.EnumerateFiles(Checkout.Root))
            .Where(f => !f.Contains("/bin/", StringComparison.Ordinal) && !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bench/results/", StringComparison.Ordinal))
            .Where(f => endings.Length == 0 || endings.Any(e => f.EndsWith(e, StringComparison.Ordinal)));

    [Fact]
    public void No_source_file_is_longer_than_600_lines()
    {
        Assert.Empty(Files(".cs", ".c", ".sh").Select(f => (Lines: File.ReadLines(f).Count(), File: Name(f))).Where(f => f.Lines > 600));
    }

    [Fact]
    public void Every_unsafe_block_says_why_it_is_safe()
    {
        var missing = new List<string>();
        foreach (var file in Files(".cs").Where(f => Name(f).StartsWith("src/", StringComparison.Ordinal)))
        {
            var text = File.ReadAllText(file);
            if (Unsafe().IsMatch(text) && !text.Contains("// SAFETY:", StringComparison.Ordinal))
            {
                missing.Add(Name(file));
            }
        }

        Assert.Empty(missing);
    }

    [Fact]
    public void Process_of_the_class_library_is_used_nowhere()
    {
        Assert.Empty(Files(".cs").Where(f => ProcessClass().IsMatch(File.ReadAllText(f))).Select(Name));
    }

    [Fact]
    public void Nothing_is_left_for_later_in_the_code()
    {
        Assert.Empty(Files(".cs", ".c", ".sh").Where(f => Later().IsMatch(File.ReadAllText(f))).Select(Name));
    }

    [Fact]
    public void Every_nuget_package_has_a_row_in_the_dependency_document()
    {
        var document = File.ReadAllText(Path.Combine(Checkout.Root, "docs", "DEPENDENCIES.md"));
        var packages = PackageVersion().Matches(File.ReadAllText(Path.Combine(Checkout.Root, "Directory.Packages.props"))).Select(m => m.Groups[1].Value);
        Assert.Empty(packages.Where(p => !document.Contains(p, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Every_debian_package_has_a_row_in_the_dependency_document()
    {
        var document = await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "docs", "DEPENDENCIES.md"), TestContext.Current.CancellationToken);
        var rows = (await Tools.RunAsync(Path.Combine(Checkout.Root, "eng", "packages.sh"), "list")).StdoutText.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.NotEmpty(rows);
        Assert.Empty(rows.Select(r => r.Split('|')[1]).Where(p => !document.Contains(p, StringComparison.Ordinal)));
    }

    [Fact]
    public void Every_configuration_key_is_documented()
    {
        var document = File.ReadAllText(Path.Combine(Checkout.Root, "docs", "configuration.md"));
        var schema = File.ReadAllText(Path.Combine(Checkout.Root, "src", "Vivarium.Configuration", "Schema", "ConfigSchema.cs"));
        var keys = ConfigKey().Matches(schema).Select(m => $"`{m.Groups[1].Value}.{m.Groups[2].Value}`").ToList();
        Assert.NotEmpty(keys);
        Assert.Empty(keys.Where(k => !document.Contains(k, StringComparison.Ordinal)));
    }

    [Fact]
    public void Every_test_the_security_model_names_exists()
    {
        var tests = Files(".cs").Where(f => Name(f).StartsWith("tests/", StringComparison.Ordinal)).Select(File.ReadAllText).ToList();
        var named = NamedTest().Matches(File.ReadAllText(Path.Combine(Checkout.Root, "docs", "security.md"))).Select(m => (Class: m.Groups[1].Value, Test: m.Groups[2].Value)).ToList();
        Assert.True(named.Count > 30, $"only {named.Count} tests are named");
        Assert.Empty(named.Where(n => !tests.Exists(t => t.Contains($"class {n.Class}", StringComparison.Ordinal) && t.Contains($" {n.Test}(", StringComparison.Ordinal))));
    }

    [Fact]
    public void Every_project_is_in_the_solution_and_has_its_lock_file()
    {
        var solution = File.ReadAllText(Path.Combine(Checkout.Root, "Vivarium.slnx"));
        foreach (var project in Files(".csproj"))
        {
            Assert.Contains(Name(project), solution, StringComparison.Ordinal);
            Assert.True(File.Exists(Path.Combine(Path.GetDirectoryName(project)!, "packages.lock.json")), $"{Name(project)} has no packages.lock.json");
        }
    }

    [Fact]
    public void Links_between_documents_lead_somewhere()
    {
        var broken = new List<string>();
        foreach (var file in Files(".md"))
        {
            foreach (Match link in MarkdownLink().Matches(File.ReadAllText(file)))
            {
                var target = link.Groups[1].Value;
                if (!target.Contains("://", StringComparison.Ordinal) && !target.StartsWith('#') && !Path.Exists(Path.Combine(Path.GetDirectoryName(file)!, target.Split('#')[0])))
                {
                    broken.Add($"{Name(file)} → {target}");
                }
            }
        }

        Assert.Empty(broken);
    }

    [Fact]
    public void Scripts_can_be_executed()
    {
        string[] scripts = ["viv", "test", "bench/run", ".ci/run", "eng/build.sh", "eng/packages.sh"];
        Assert.All(
            scripts.Select(s => Path.Combine(Checkout.Root, s)).Where(File.Exists),
            s => Assert.True(File.GetUnixFileMode(s).HasFlag(UnixFileMode.UserExecute), $"{Name(s)} cannot be executed"));
    }

    private static string Name(string file) => Path.GetRelativePath(Checkout.Root, file);

    // A block, or a method that has a body; a declaration of a native function has nothing to explain.
    [GeneratedRegex(@"`([A-Z]\w+)\.([A-Z][a-z]*_\w+)`")]
    private static partial Regex NamedTest();

    [GeneratedRegex(@"\bunsafe\s*\{|\bunsafe\b[^;{=]*\([^;{]*\)\s*(\{|=>)")]
    private static partial Regex Unsafe();

    [GeneratedRegex(@"\bProcess\.(Start|GetProcess|GetCurrentProcess)\b|new Process\(|ProcessStart" + "Info")]
    private static partial Regex ProcessClass();

    [GeneratedRegex(@"\bTO" + @"DO\b|\bFIX" + @"ME\b|NotImplemented" + @"Exception")]
    private static partial Regex Later();

    [GeneratedRegex("PackageVersion Include=\"([^\"]+)\"")]
    private static partial Regex PackageVersion();

    [GeneratedRegex("new\\(\"([a-z_]+)\", \"([a-z_]+)\"")]
    private static partial Regex ConfigKey();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex MarkdownLink();
}
