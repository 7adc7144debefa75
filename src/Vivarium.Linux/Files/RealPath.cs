using System.Globalization;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Files;

/// <summary>
/// A path as the kernel resolves it now, in one step: every symbolic link followed, nothing in between that could change. Sources: open(2) with O_PATH,
/// /proc/self/fd in proc(5).
/// </summary>
/// <param name="Path">The path without links; what it names was there when it was asked for.</param>
/// <param name="Status">What it names.</param>
public sealed record RealPath(string Path, FileStatus Status)
{
    /// <summary>Of an existing file or directory.</summary>
    /// <exception cref="LinuxException">ENOENT, ELOOP, EACCES …</exception>
    public static RealPath Of(string path)
    {
        using var place = Libc.Open(path, Libc.O_PATH);
        var link = new FileInfo(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{place.DangerousGetHandle()}"));
        return new RealPath(link.LinkTarget ?? throw new LinuxException("resolve", path, Errno.ENOENT), FileStatus.Of(place));
    }
}
