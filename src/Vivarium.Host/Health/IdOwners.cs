using System.Globalization;

namespace Vivarium.Host.Health;

/// <summary>Who else uses host ids: the files that hand out subordinate ones. Source: subuid(5).</summary>
internal static class IdOwners
{
    private static readonly string[] Files = ["/etc/subuid", "/etc/subgid"];

    /// <summary>The first owner of ids from <paramref name="first"/> up to and without <paramref name="end"/>, as words for a sentence; null when nobody has any.</summary>
    public static string? Overlapping(uint first, uint end)
    {
        foreach (var file in Files.Where(File.Exists))
        {
            foreach (var line in File.ReadLines(file))
            {
                // root:100000:65536; what is no such line is somebody else's trouble.
                if (line.Split(':') is [var user, var from, var count]
                    && ulong.TryParse(from, CultureInfo.InvariantCulture, out var start)
                    && ulong.TryParse(count, CultureInfo.InvariantCulture, out var length)
                    && start < end
                    && start + length > first)
                {
                    return $"those of {user} in {file}";
                }
            }
        }

        return null;
    }
}
