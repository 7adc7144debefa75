using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux;
using Vivarium.Linux.Files;

namespace Vivarium.Guest.Files;

/// <summary>
/// The directories of a tree being unpacked. Links that stay below the root are followed (systems link <c>/lib</c> to <c>usr/lib</c>), links that lead outside are
/// refused by the kernel (openat2, RESOLVE_BENEATH); where it cannot (gVisor), every link is. When the root is the sandbox's own root nothing is outside.
/// The directory used last stays open, since entries come folder by folder.
/// </summary>
internal sealed class ArchivePlaces : IDisposable
{
    private readonly string _root;
    private readonly bool _everything;
    private SafeFileHandle _open;
    private string _openPath = "";

    public ArchivePlaces(string root)
    {
        _root = root;
        _open = new SafeFileHandle(Names.Check(At.Open(At.Cwd, Names.Of(root), At.DirectoryOnly), "open", root), ownsHandle: true);
        var (mine, all) = (FileStatus.Of(_open), FileStatus.Of("/"));
        _everything = mine.Inode == all.Inode && mine.Device == all.Device;
    }

    /// <summary>Descriptor of a directory below the root, made with what is above it when it is missing; valid until the next call.</summary>
    public int Directory(string path)
    {
        if (path != _openPath)
        {
            var next = OpenDirectory(path, create: true);
            _open.Dispose();
            (_open, _openPath) = (next, path);
        }

        return (int)_open.DangerousGetHandle();
    }

    /// <summary>Opens a directory below the root.</summary>
    public SafeFileHandle OpenDirectory(string path, bool create)
    {
        try
        {
            return Open(path);
        }
        catch (LinuxException e) when (create && e.Errno == Errno.ENOENT && path.Length > 0)
        {
            var slash = path.LastIndexOf('/');
            using (var parent = OpenDirectory(slash < 0 ? "" : path[..slash], create: true))
            {
                var name = path[(slash + 1)..];
                if (At.MakeDirectory((int)parent.DangerousGetHandle(), name, 0x1ED) != 0 && Marshal.GetLastPInvokeError() is var error && error != Errno.EEXIST)
                {
                    throw new LinuxException("make directory", Names.Text(path), error);
                }
            }

            return Open(path);
        }
        catch (LinuxException e) when (e.Errno is Errno.EXDEV or Errno.ELOOP)
        {
            throw FileFailure.Invalid($"the archive writes through a link that leads outside: '{Names.Text(path)}'", "path_escape");
        }
    }

    public void Dispose() => _open.Dispose();

    private SafeFileHandle Open(string path)
    {
        if (_everything)
        {
            var fd = At.Open(At.Cwd, "/" + path, At.DirectoryOnly);
            return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw new LinuxException("open", Names.Text(path), Marshal.GetLastPInvokeError());
        }

        return OpenBeneath.Directory(_root, path.Length == 0 ? "." : Names.Text(path));
    }
}
