using Vivarium.Guest.Init;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Control;

/// <summary>Mounts the host asks for: only where they can hide nothing of the system, once each, and taken down in reverse at the end.</summary>
internal sealed class GuestMounts(bool isInit)
{
    private static readonly string[] SystemPaths =
        ["/etc", "/bin", "/sbin", "/usr", "/boot", "/dev", "/proc", "/sys", "/run", "/nix"];

    private readonly Lock _gate = new();
    private readonly List<MountPayload> _made = [];

    /// <summary>Makes one; the same again is not an error and does nothing.</summary>
    public void Make(MountPayload mount)
    {
        Check(mount);
        if (!isInit)
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"cannot mount on '{mount.GuestPath}': this runtime shares the machine's mounts");
        }

        lock (_gate)
        {
            if (_made.Find(made => made.GuestPath == mount.GuestPath) is { } earlier)
            {
                if (earlier with { ReadOnly = earlier.ReadOnly ?? false } == mount with { ReadOnly = mount.ReadOnly ?? false })
                {
                    return;
                }

                throw new VivariumException(ErrorCode.AlreadyExists, $"'{mount.GuestPath}' has another mount on it already: {earlier.FsType} '{earlier.Tag}'");
            }

            Directory.CreateDirectory(mount.GuestPath);
            CheckRealPath(mount.GuestPath);
            var flags = mount.ReadOnly == true ? SystemCalls.MS_RDONLY : 0;
            SystemCalls.Mount(mount.Tag, mount.GuestPath, mount.FsType, flags, mount.FsType == "9p" ? "trans=virtio,version=9p2000.L" : null);
            _made.Add(mount);
        }
    }

    /// <summary>Takes all down, the latest first. Returns those that were busy.</summary>
    public IReadOnlyList<string> RemoveAll()
    {
        var busy = new List<string>();
        lock (_gate)
        {
            for (var i = _made.Count - 1; i >= 0; i--)
            {
                if (!SystemCalls.TryUnmount(_made[i].GuestPath))
                {
                    busy.Add(_made[i].GuestPath);
                }
            }

            _made.Clear();
        }

        return busy;
    }

    /// <summary>Whether a path is one nothing may be mounted on: the root, or a system directory or below one.</summary>
    public static bool IsSystemPath(string path) =>
        path == "/"
        || Array.Exists(SystemPaths, system => path == system || path.StartsWith(system + "/", StringComparison.Ordinal))
        || (path.StartsWith("/lib", StringComparison.Ordinal) && path.Split('/')[1] is "lib" or "lib32" or "lib64" or "libx32");

    private static void Check(MountPayload mount)
    {
        if (string.IsNullOrEmpty(mount.Tag) || string.IsNullOrEmpty(mount.GuestPath) || string.IsNullOrEmpty(mount.FsType)
            || mount.Tag.Contains('\0', StringComparison.Ordinal) || mount.FsType.Any(static c => !char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-')))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, "a mount needs tag, guest_path and fs_type");
        }

        var path = mount.GuestPath;
        var clean = path.StartsWith('/') && !path.Contains('\0', StringComparison.Ordinal)
            && (path == "/" || path.Split('/').Skip(1).All(static part => part is not ("" or "." or "..")));
        if (!clean)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"mount path '{path.Replace('\0', ' ')}' must be absolute, without '.', '..', double or trailing slashes");
        }

        if (IsSystemPath(path))
        {
            throw new VivariumException(ErrorCode.PermissionDenied, $"refusing to mount on system path '{path}'");
        }
    }

    // A symbolic link on the way could lead to a system path after all.
    private static void CheckRealPath(string path)
    {
        var at = "/";
        foreach (var part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            at = Path.Combine(at, part);
            if (new DirectoryInfo(at).LinkTarget is not null)
            {
                throw new VivariumException(ErrorCode.PermissionDenied, $"refusing to mount on '{path}': '{at}' is a symbolic link");
            }
        }
    }
}
