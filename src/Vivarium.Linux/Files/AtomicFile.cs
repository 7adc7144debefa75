using System.Text;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Files;

/// <summary>Replaces a file in one step: a reader, and we after a crash, see the old content or the new, never a part.</summary>
public static class AtomicFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Writes UTF-8 text; see the other overload.</summary>
    public static void Write(string path, string text, UnixFileMode mode = OwnerOnly, bool durable = true) =>
        Write(path, Encoding.UTF8.GetBytes(text), mode, durable);

    /// <summary>Writes a temporary file beside <paramref name="path"/>, gives it its mode, and renames it over.</summary>
    /// <param name="path">The file; its directory must exist.</param>
    /// <param name="content">All of the new content.</param>
    /// <param name="mode">Mode of the new file, whatever the umask; default 0600.</param>
    /// <param name="durable">Whether it must survive a power failure (two fsync calls); for files that a restart makes anew, say no.</param>
    public static void Write(string path, ReadOnlySpan<byte> content, UnixFileMode mode = OwnerOnly, bool durable = true)
    {
        var directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var temporary = Path.Combine(directory, $".{Path.GetFileName(path)}.{Guid.NewGuid():N}");
        try
        {
            using (var file = Libc.Open(temporary, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_EXCL, (uint)OwnerOnly))
            {
                RandomAccess.Write(file, content, fileOffset: 0);
                File.SetUnixFileMode(file, mode);
                if (durable)
                {
                    RandomAccess.FlushToDisk(file);
                }
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            if (File.Exists(temporary))
            {
                File.Delete(temporary);
            }

            throw;
        }

        if (durable)
        {
            using SafeFileHandle parent = Libc.Open(directory, Libc.O_RDONLY | Libc.O_DIRECTORY);
            FileSync.Sync(parent, directory);
        }
    }
}
