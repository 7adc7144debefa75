using Vivarium.Wire.Errors;

namespace Vivarium.Daemon.Listening;

/// <summary>A lock file held for the daemon's life. The kernel lets go of it however the daemon dies, so it is never stale.</summary>
internal static class InstanceLock
{
    /// <summary>Takes it.</summary>
    /// <exception cref="VivariumException"><c>already_exists</c>, reason <c>daemon_running</c>.</exception>
    public static IDisposable Take(string path, string what)
    {
        try
        {
            // FileShare.None is flock(LOCK_EX | LOCK_NB).
            return new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
        }
        catch (IOException e) when (File.Exists(path))
        {
            throw new VivariumException(
                ErrorCode.AlreadyExists,
                $"starting the daemon: another one uses the {what} {Path.GetDirectoryName(path)}",
                "Use that one, stop it (viv daemon stop), or give this one other paths.",
                "daemon_running",
                e);
        }
    }
}
