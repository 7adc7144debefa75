namespace Vivarium.Guest.Files;

/// <summary>Shell patterns of paths: each part between slashes is a pattern of one name, and <c>**</c> stands for any number of directories, none included. No pattern takes more than parts × parts matches.</summary>
internal static class PathGlob
{
    /// <summary>Whether the whole path, without a slash at its beginning, matches.</summary>
    public static bool IsMatch(string pattern, ReadOnlySpan<char> path)
    {
        var parts = pattern.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var names = path.ToString().Split('/');
        int p = 0, n = 0, starPart = -1, starName = 0;
        while (n < names.Length)
        {
            if (p < parts.Length && parts[p] == "**")
            {
                starPart = ++p;
                starName = n;
            }
            else if (p < parts.Length && Glob.IsMatch(parts[p], names[n]))
            {
                p++;
                n++;
            }
            else if (starPart < 0)
            {
                return false;
            }
            else
            {
                p = starPart; // the last ** takes one directory more
                n = ++starName;
            }
        }

        while (p < parts.Length && parts[p] == "**")
        {
            p++;
        }

        return p == parts.Length;
    }
}
