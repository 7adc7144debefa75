using Vivarium.Linux;
using Vivarium.Linux.Files;

namespace Vivarium.Guest.Files;

/// <summary>File systems whose files are the kernel speaking: walking or packing them makes no sense. Source: statfs(2).</summary>
internal static class PseudoFileSystems
{
    private static readonly long[] Magics =
    [
        0x9fa0, // proc
        0x62656572, // sysfs
        0x27e0eb, // cgroup
        FileSystemSpace.Cgroup2Magic,
        0x1cd1, // devpts
        0x64626720, // debugfs
        0x74726163, // tracefs
        0x73636673, // securityfs
        0x19800202, // mqueue
    ];

    // A look at the file system of every directory would double the cost of a walk; these are the places where they are mounted.
    private static readonly string[] Places = ["/proc", "/sys", "/dev/pts", "/dev/mqueue"];

    /// <summary>Whether a directory is the top of one.</summary>
    public static bool IsOne(string path)
    {
        if (!Places.Contains(path))
        {
            return false;
        }

        try
        {
            return Magics.Contains(FileSystemSpace.Of(path).Magic);
        }
        catch (LinuxException)
        {
            return false;
        }
    }
}
