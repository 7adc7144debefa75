namespace Vivarium.Acceptance.Docs;

/// <summary>
/// One fenced <c>console</c> block of a document: lines that begin with <c>$ </c> are commands, what follows is their output. <c>…</c> on a line of
/// its own stands for any lines, inside a line for any text; a block without output lines under a command checks only that it succeeds.
/// </summary>
internal sealed record ConsoleBlock(string Document, int Line, IReadOnlyList<ConsoleStep> Steps)
{
    public static IEnumerable<ConsoleBlock> Read(string document, string text)
    {
        var lines = text.Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            if (lines[i].TrimEnd() != "```console")
            {
                continue;
            }

            var start = i + 1;
            var steps = new List<ConsoleStep>();
            for (i++; i < lines.Length && lines[i].TrimEnd() != "```"; i++)
            {
                if (lines[i].StartsWith("$ ", StringComparison.Ordinal))
                {
                    steps.Add(new ConsoleStep(lines[i][2..], []));
                }
                else if (steps.Count > 0)
                {
                    steps[^1] = steps[^1] with { Output = [.. steps[^1].Output, lines[i].TrimEnd()] };
                }
            }

            yield return new ConsoleBlock(document, start, steps);
        }
    }
}

/// <summary>A command and the output the document shows for it.</summary>
internal sealed record ConsoleStep(string Command, IReadOnlyList<string> Output)
{
    /// <summary>Whether what was printed is what the document shows.</summary>
    public bool Matches(string printed)
    {
        var lines = printed.TrimEnd('\n').Split('\n');
        return Output.Count == 0 || Matches(lines, 0, 0);
    }

    private bool Matches(string[] lines, int line, int wanted)
    {
        if (wanted == Output.Count)
        {
            return line == lines.Length;
        }

        if (Output[wanted] == "…")
        {
            return Enumerable.Range(line, lines.Length - line + 1).Any(next => Matches(lines, next, wanted + 1));
        }

        return line < lines.Length && LineMatches(lines[line].TrimEnd(), Output[wanted]) && Matches(lines, line + 1, wanted + 1);
    }

    private static bool LineMatches(string line, string pattern)
    {
        var parts = pattern.Split('…');
        if (!line.StartsWith(parts[0], StringComparison.Ordinal) || !line.EndsWith(parts[^1], StringComparison.Ordinal))
        {
            return false;
        }

        var at = parts[0].Length;
        foreach (var part in parts.Skip(1))
        {
            var found = line.IndexOf(part, Math.Min(at, line.Length), StringComparison.Ordinal);
            if (found < 0)
            {
                return false;
            }

            at = found + part.Length;
        }

        return parts.Length > 1 || line.Length == pattern.Length;
    }
}
