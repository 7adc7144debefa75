using System.Text;
using System.Text.RegularExpressions;
using Vivarium.Linux;
using Vivarium.Linux.Files;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Files;

/// <summary>List, find and grep: walks below a directory, in the order of names, without following links, up to a limit of results. What the user may not see is left out.</summary>
internal sealed class TreeSearch
{
    private const int DefaultLimit = 10_000;
    private const int MaxLimit = 100_000;
    private const int MaxDepth = 512;
    private const int MaxLineCharacters = 2000;
    private const int BinaryProbeBytes = 8 * 1024;
    private const long MaxGrepFileBytes = 16 * 1024 * 1024;
    private const int MaxAnswerCharacters = 32 * 1024 * 1024;
    private static readonly TimeSpan MatchTime = TimeSpan.FromSeconds(1);

    private readonly string _root;
    private readonly int _limit;
    private readonly CancellationToken _cancellationToken;
    private readonly EntryReader _entries = new();

    public TreeSearch(string root, int? limit, CancellationToken cancellationToken)
    {
        _root = root;
        _limit = Math.Clamp(limit ?? DefaultLimit, 1, MaxLimit);
        _cancellationToken = cancellationToken;
    }

    /// <summary>Names of directories that are passed over.</summary>
    public IReadOnlyList<string>? Except { get; init; }

    public FileReply List(int depth)
    {
        if (FileStatus.Of(_root).Kind != FileKind.Directory)
        {
            throw new LinuxException("list", _root, Errno.ENOTDIR);
        }

        return Collect(Walk(_root, Math.Clamp(depth, 1, MaxDepth), isRoot: true));
    }

    public FileReply Find(string? pattern, bool wholePath)
    {
        if (string.IsNullOrEmpty(pattern))
        {
            throw FileFailure.Invalid("find needs a pattern");
        }

        _ = FileStatus.Of(_root);
        return Collect(Walk(_root, MaxDepth, isRoot: true).Where(e => Fits(pattern, e, wholePath)));
    }

    /// <summary>A pattern with a slash speaks of the path below the start, one without of the name.</summary>
    private bool Fits(string pattern, FileEntry entry, bool wholePath)
    {
        if (!pattern.Contains('/', StringComparison.Ordinal) && pattern != "**")
        {
            return Glob.IsMatch(pattern, entry.Name);
        }

        var below = entry.Path.AsSpan(Math.Min(_root == "/" ? 1 : _root.Length + 1, entry.Path.Length));
        return wholePath ? PathGlob.IsMatch(pattern, below) : Glob.IsMatch(pattern, below);
    }

    public FileReply Grep(string? pattern, bool isRegex, string? include)
    {
        if (string.IsNullOrEmpty(pattern))
        {
            throw FileFailure.Invalid("grep needs a pattern");
        }

        var expression = isRegex ? Expression(pattern) : null;
        var start = _entries.Of(_root, follow: true);
        var files = start.Type == "dir" ? Walk(_root, MaxDepth, isRoot: true).Where(e => e.Type == "file" && (include is null || Fits(include, e, wholePath: true))) : [start];
        List<FileMatch> matches = [];
        var characters = 0;
        foreach (var file in files)
        {
            foreach (var match in MatchesIn(file.Path, pattern, expression))
            {
                characters += match.Path.Length + match.Text.Length;
                if (matches.Count == _limit || characters > MaxAnswerCharacters)
                {
                    return new FileReply { Matches = matches, Truncated = true };
                }

                matches.Add(match);
            }
        }

        return new FileReply { Matches = matches };
    }

    private FileReply Collect(IEnumerable<FileEntry> found)
    {
        List<FileEntry> entries = [];
        var characters = 0;
        foreach (var entry in found)
        {
            characters += (2 * entry.Path.Length) + 200;
            if (entries.Count == _limit || characters > MaxAnswerCharacters)
            {
                return new FileReply { Entries = entries, Truncated = true };
            }

            entries.Add(entry);
        }

        return new FileReply { Entries = entries };
    }

    private IEnumerable<FileEntry> Walk(string directory, int depth, bool isRoot)
    {
        string[] paths;
        try
        {
            paths = Directory.GetFileSystemEntries(directory);
        }
        catch (Exception e) when (!isRoot && e is IOException or UnauthorizedAccessException)
        {
            yield break;
        }

        Array.Sort(paths, StringComparer.Ordinal);
        foreach (var path in paths)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            if (_entries.Find(path) is not { } entry || (entry.Type == "dir" && Except?.Contains(entry.Name) == true))
            {
                continue;
            }

            yield return entry;
            if (entry.Type == "dir" && depth > 1 && !PseudoFileSystems.IsOne(path))
            {
                foreach (var below in Walk(path, depth - 1, isRoot: false))
                {
                    yield return below;
                }
            }
        }
    }

    private IEnumerable<FileMatch> MatchesIn(string path, string pattern, Regex? expression)
    {
        using var reader = OpenText(path);
        if (reader is null)
        {
            yield break;
        }

        for (var number = 1; ReadLine(reader) is { } line; number++)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            if (expression is null ? line.Contains(pattern, StringComparison.Ordinal) : IsMatch(expression, line))
            {
                yield return new FileMatch { Path = path, Line = number, Text = line.Length > MaxLineCharacters ? line[..MaxLineCharacters] : line };
            }
        }
    }

    private static StreamReader? OpenText(string path)
    {
        try
        {
            var file = new FileStream(path, new FileStreamOptions { Share = FileShare.ReadWrite | FileShare.Delete, BufferSize = 64 * 1024, Options = FileOptions.SequentialScan });
            Span<byte> probe = stackalloc byte[BinaryProbeBytes];
            var count = file.ReadAtLeast(probe, probe.Length, throwOnEndOfStream: false);
            if (probe[..count].Contains((byte)0) || file.Length > MaxGrepFileBytes)
            {
                file.Dispose();
                return null;
            }

            file.Position = 0;
            return new StreamReader(file, Encoding.UTF8, detectEncodingFromByteOrderMarks: false, 64 * 1024);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // gone, or not for this user
        }
    }

    private static string? ReadLine(StreamReader reader)
    {
        try
        {
            return reader.ReadLine(); // no longer than the file, which is bounded
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static bool IsMatch(Regex expression, string line)
    {
        try
        {
            return expression.IsMatch(line);
        }
        catch (RegexMatchTimeoutException)
        {
            throw FileFailure.Invalid("the expression takes too long on a line; simplify it", "slow_expression");
        }
    }

    private static Regex Expression(string pattern)
    {
        try
        {
            return new Regex(pattern, RegexOptions.CultureInvariant, MatchTime);
        }
        catch (ArgumentException e)
        {
            throw FileFailure.Invalid($"the expression is malformed: {e.Message}", "bad_expression");
        }
    }
}
