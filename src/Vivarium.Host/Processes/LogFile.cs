using System.Globalization;

namespace Vivarium.Host.Processes;

/// <summary>
/// A rotated log as one growing stream. The supervisor renames the full file to <c>…log.1</c> and writes the offset at which the new one begins to
/// <c>…log.base</c>; what lies before the old file is lost.
/// </summary>
internal static class LogFile
{
    /// <summary>Bytes from an offset (negative: before the end; one that is lost already: from the oldest there is), where to go on, and the end.</summary>
    public static (byte[] Data, long Next, long End) Read(string path, long offset, int limit)
    {
        // A rotation in between moves the files under the numbers: read again until the numbers stand still.
        for (var attempt = 0; ; attempt++)
        {
            var origin = Base(path);
            using var current = Open(path);
            using var old = origin > 0 ? Open(path + ".1") : null;
            if (Base(path) != origin && attempt < 10)
            {
                continue;
            }

            var end = origin + (current?.Length ?? 0);
            var first = origin - (old?.Length ?? 0);
            var start = Math.Clamp(offset < 0 ? end + offset : offset, first, Math.Max(first, end));
            var data = new byte[Math.Min(limit, end - start)];
            var count = 0;
            if (start < origin && old is not null)
            {
                old.Position = start - first;
                var wanted = (int)Math.Min(data.Length, origin - start);
                count = old.ReadAtLeast(data.AsSpan(0, wanted), wanted, throwOnEndOfStream: false);
            }

            if (count < data.Length && current is not null)
            {
                current.Position = start + count - origin;
                count += current.ReadAtLeast(data.AsSpan(count), data.Length - count, throwOnEndOfStream: false);
            }

            return (data[..count], start + count, end);
        }
    }

    private static FileStream? Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private static long Base(string path)
    {
        try
        {
            return long.TryParse(File.ReadAllText(path + ".base"), NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var value) ? value : 0;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return 0;
        }
    }
}
