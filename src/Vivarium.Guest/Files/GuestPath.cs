using Vivarium.Linux.Files;

namespace Vivarium.Guest.Files;

/// <summary>Paths as callers write them.</summary>
internal static class GuestPath
{
    private const int LongestPath = 4095;

    /// <summary>Absolute: as it is, or below the user's home (also when it begins with <c>~/</c>). Links and dots are left to the kernel.</summary>
    public static string Resolve(string path, string home)
    {
        if (path.Length == 0 || path.Contains('\0', StringComparison.Ordinal))
        {
            throw FileFailure.Invalid("a path must not be empty or contain a NUL character", "bad_path");
        }

        var absolute = path[0] == '/' ? path
            : path == "~" ? home
            : path.StartsWith("~/", StringComparison.Ordinal) ? Join(home, path[2..])
            : path == "." ? home
            : Join(home, path.StartsWith("./", StringComparison.Ordinal) ? path[2..] : path);
        if (absolute.Length > LongestPath)
        {
            throw FileFailure.Invalid($"a path has at most {LongestPath} characters", "bad_path");
        }

        absolute = absolute.TrimEnd('/');
        return absolute.Length == 0 ? "/" : absolute;
    }

    /// <summary>Directory and last name; the last name of <c>/</c> is empty.</summary>
    public static (string Directory, string Name) Split(string path)
    {
        var slash = path.LastIndexOf('/');
        return (slash <= 0 ? "/" : path[..slash], path[(slash + 1)..]);
    }

    /// <summary>One path below another.</summary>
    public static string Join(string directory, string name) => directory.EndsWith('/') ? directory + name : $"{directory}/{name}";

    /// <summary>Where the links at the end of a path lead in the end; that place need not exist.</summary>
    public static string FollowLast(string path)
    {
        for (var links = 0; links < 40; links++)
        {
            if (At.ReadLink(At.Cwd, Names.Of(path)) is not { } target)
            {
                return path;
            }

            path = target.StartsWith('/') ? Names.Text(target) : Join(Split(path).Directory, Names.Text(target));
        }

        throw new Linux.LinuxException("follow", path, Linux.Errno.ELOOP);
    }

    /// <summary>Makes missing directories, mode 0755.</summary>
    public static void MakeDirectories(string path)
    {
        if (path == "/" || FileStatus.Find(path) is { Kind: FileKind.Directory })
        {
            return;
        }

        MakeDirectories(Split(path).Directory);
        Names.Check(At.MakeDirectory(At.Cwd, Names.Of(path), 0x1ED), "make directory", path, allowed: Linux.Errno.EEXIST);
    }
}
