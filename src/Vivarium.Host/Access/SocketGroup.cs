using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Vivarium.Host.Access;

/// <summary>The group that may use the sockets. Handing something over: chown(2) to root and that group, then the mode (chmod(2)); in this order, so that no moment is too open.</summary>
public static partial class SocketGroup
{
    /// <summary>The group's id from /etc/group; null when it is empty or does not exist.</summary>
    public static uint? Find(string name)
    {
        if (name.Length == 0 || !File.Exists("/etc/group"))
        {
            return null;
        }

        foreach (var line in File.ReadLines("/etc/group"))
        {
            var fields = line.Split(':');
            if (fields.Length >= 3 && fields[0] == name && uint.TryParse(fields[2], CultureInfo.InvariantCulture, out var id))
            {
                return id;
            }
        }

        return null;
    }

    /// <summary>Gives a path its mode; with a group, to the group as well.</summary>
    public static void Hand(string path, uint? group, UnixFileMode owner, UnixFileMode withGroup)
    {
        if (group is { } gid && Chown(Encoding.UTF8.GetBytes(path + '\0'), uint.MaxValue, gid) == 0)
        {
            File.SetUnixFileMode(path, owner | withGroup);
            return;
        }

        File.SetUnixFileMode(path, owner);
    }

    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true)]
    private static partial int Chown([In] byte[] path, uint owner, uint group);
}
