namespace Vivarium.Guest.Files;

/// <summary>Shell patterns: <c>*</c>, <c>?</c>, <c>[abc]</c>, <c>[!a-z]</c>, <c>\</c> before a character that is meant itself. No pattern takes more than pattern × name steps.</summary>
internal static class Glob
{
    /// <summary>Whether the whole name matches.</summary>
    public static bool IsMatch(ReadOnlySpan<char> pattern, ReadOnlySpan<char> name)
    {
        int p = 0, n = 0, starPattern = -1, starName = 0;
        while (n < name.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                starPattern = ++p;
                starName = n;
                continue;
            }

            if (p < pattern.Length && One(pattern, p, name[n], out var next))
            {
                p = next;
                n++;
                continue;
            }

            if (starPattern < 0)
            {
                return false;
            }

            p = starPattern; // the last star takes one character more
            n = ++starName;
        }

        while (p < pattern.Length && pattern[p] == '*')
        {
            p++;
        }

        return p == pattern.Length;
    }

    private static bool One(ReadOnlySpan<char> pattern, int at, char c, out int next)
    {
        next = at + 1;
        switch (pattern[at])
        {
            case '?':
                return true;
            case '\\' when at + 1 < pattern.Length:
                next = at + 2;
                return pattern[at + 1] == c;
            case '[' when pattern[(at + 1)..].IndexOf(']') is > 0 and var length:
                next = at + length + 2;
                return InSet(pattern.Slice(at + 1, length), c);
            default:
                return pattern[at] == c;
        }
    }

    private static bool InSet(ReadOnlySpan<char> set, char c)
    {
        var negated = set[0] is '!' or '^';
        set = negated ? set[1..] : set;
        for (var i = 0; i < set.Length; i++)
        {
            var isRange = i + 2 < set.Length && set[i + 1] == '-';
            if (isRange ? c >= set[i] && c <= set[i + 2] : c == set[i])
            {
                return !negated;
            }

            i += isRange ? 2 : 0;
        }

        return negated;
    }
}
