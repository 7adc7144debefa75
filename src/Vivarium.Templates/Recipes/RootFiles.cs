using System.Text;
using Vivarium.Linux.Files;

namespace Vivarium.Templates.Recipes;

/// <summary>Writes files of a root file system that is being made: explicit modes and owners, whatever our umask.</summary>
internal sealed class RootFiles(string root)
{
    internal const UnixFileMode FileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    internal const UnixFileMode DirectoryMode = FileMode | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    internal const UnixFileMode OpenToAll = (UnixFileMode)0x3FF;
    internal const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    internal string PathOf(string path) => Path.Combine(root, path.TrimStart('/'));

    internal void Folder(string path, UnixFileMode mode = DirectoryMode)
    {
        Directory.CreateDirectory(PathOf(path));
        File.SetUnixFileMode(PathOf(path), mode);
    }

    internal void Text(string path, string text, UnixFileMode mode = FileMode)
    {
        // Not atomic on purpose: the whole volume becomes visible in one step later.
        using (var file = File.Create(PathOf(path)))
        {
            file.Write(Encoding.UTF8.GetBytes(text));
        }

        File.SetUnixFileMode(PathOf(path), mode);
    }

    internal void Append(string path, string text)
    {
        using var file = new FileStream(PathOf(path), System.IO.FileMode.Append, FileAccess.Write);
        file.Write(Encoding.UTF8.GetBytes(text));
    }

    internal void Link(string path, string target) => File.CreateSymbolicLink(PathOf(path), target);

    internal void Owner(string path, uint user, uint group) => FileChanges.Chown(PathOf(path), user, group);

    internal void Remove(string path) => File.Delete(PathOf(path));

    /// <summary>Certificate authorities of the host's owner, trusted besides those of the template.</summary>
    internal void AddAuthorities(string pem)
    {
        Folder("/usr/local/share/ca-certificates");
        Text("/usr/local/share/ca-certificates/host.crt", pem);
        Folder("/etc/ssl/certs");
        if (File.Exists(PathOf("/etc/ssl/certs/ca-certificates.crt")))
        {
            Append("/etc/ssl/certs/ca-certificates.crt", "\n" + pem);
        }
        else
        {
            Text("/etc/ssl/certs/ca-certificates.crt", pem);
        }
    }
}
