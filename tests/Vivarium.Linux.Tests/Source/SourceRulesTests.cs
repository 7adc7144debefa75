using System.Text.RegularExpressions;

namespace Vivarium.Linux.Tests.Source;

/// <summary>Rules about the source itself that no analyzer checks.</summary>
public sealed class SourceRulesTests
{
    private const int MaxLines = 600;

    [Fact]
    public void No_file_is_longer_than_600_lines() =>
        Assert.Empty(Sources().Where(f => File.ReadLines(f).Count() > MaxLines).Select(f => $"{f}: {File.ReadLines(f).Count()} lines"));

    [Fact]
    public void Processes_are_started_by_ChildProcess_only() =>
        Assert.DoesNotContain(Sources(), f => Banned.IsMatch(File.ReadAllText(f)));

    [Fact]
    public void Every_piece_of_unsafe_code_says_why_it_is_safe() => Assert.Empty(Sources().SelectMany(UnsafeWithoutReason));

    // Put together here so that this file does not find itself.
    private static Regex Banned => new(@"\bProcess\.Start\(|\bnew ProcessStart" + @"Info\b|Diagnostics\.Process\b");

    /// <summary>Each unsafe block or method that touches a pointer needs a SAFETY line within it or right above; declarations of native functions need none.</summary>
    private static IEnumerable<string> UnsafeWithoutReason(string file)
    {
        var lines = File.ReadAllLines(file);
        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i].Trim();
            var isBlock = line is "unsafe" or "unsafe {";
            var isMethod = line.Contains(" unsafe ", StringComparison.Ordinal) && !line.Contains('"') && !line.EndsWith(';') && line.Contains('(')
                && !line.Contains(" struct ", StringComparison.Ordinal) && !line.Contains(" class ", StringComparison.Ordinal);
            if ((isBlock || isMethod) && !Body(lines, i).Any(l => l.Contains("// SAFETY:", StringComparison.Ordinal)))
            {
                yield return $"{file}:{i + 1}: {line}";
            }
        }
    }

    private static IEnumerable<string> Body(string[] lines, int start)
    {
        if (start > 0)
        {
            yield return lines[start - 1];
        }

        var depth = 0;
        for (var i = start; i < lines.Length; i++)
        {
            yield return lines[i];
            depth += lines[i].Count(c => c == '{') - lines[i].Count(c => c == '}');
            if ((depth == 0 && i > start && lines[i].Contains('}')) || (depth == 0 && lines[i].TrimEnd().EndsWith(';')))
            {
                yield break;
            }
        }
    }

    private static IEnumerable<string> Sources()
    {
        var root = Root();
        return new[] { "src", "tests", "bench" }.Select(d => Path.Combine(root, d)).Where(Directory.Exists)
            .SelectMany(d => Directory.EnumerateFiles(d, "*.cs", SearchOption.AllDirectories))
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal));
    }

    private static string Root()
    {
        for (var at = Path.GetDirectoryName(AppContext.BaseDirectory); at is not null; at = Path.GetDirectoryName(at))
        {
            if (File.Exists(Path.Combine(at, "Vivarium.slnx")))
            {
                return at;
            }
        }

        throw new DirectoryNotFoundException("the source is not where the tests were built from");
    }
}
