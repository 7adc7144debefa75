using System.Buffers.Text;
using Vivarium.Linux.Files;

namespace Vivarium.Runtimes.Cgroups;

/// <summary>Lists the processes of a cgroup directory and those below. Asked for several times while a sandbox ends, so it makes few system calls and no garbage.</summary>
internal static class CgroupProcesses
{
    /// <summary>A directory of cgroupfs has a link for itself, one for its name and one for each directory in it. Source: kernfs_refresh_inode() in fs/kernfs/inode.c.</summary>
    private const int LinksWithoutChildren = 2;

    private const int Buffer = 4096;

    /// <summary>Whether there are cgroups below; false when it is gone.</summary>
    public static bool HasChildren(string directory) => FileStatus.TryGet(directory, follow: false, out var status) == 0 && status.Links > LinksWithoutChildren;

    /// <summary>Adds the processes of a directory and of those below it, as this process sees them. One that is gone, or cannot be read (a threaded cgroup), has none of ours.</summary>
    public static void Read(string directory, HashSet<int> pids)
    {
        if (FileStatus.TryGet(directory, follow: false, out var status) != 0)
        {
            return;
        }

        ReadOwn(directory + "/cgroup.procs", pids);
        if (status.Links <= LinksWithoutChildren)
        {
            return;
        }

        try
        {
            foreach (var child in Directory.EnumerateDirectories(directory))
            {
                Read(child, pids);
            }
        }
        catch (IOException)
        {
            // Removed meanwhile.
        }
    }

    private static void ReadOwn(string file, HashSet<int> pids)
    {
        Span<byte> small = stackalloc byte[Buffer];
        var count = PseudoFile.TryRead(file, small);
        ReadOnlySpan<byte> text = count == Buffer ? All(file) : small[..Math.Max(count, 0)];
        foreach (var line in text.Split((byte)'\n'))
        {
            // 0 stands for a process of a pid namespace we cannot see.
            if (Utf8Parser.TryParse(text[line], out int pid, out _) && pid != 0)
            {
                pids.Add(pid);
            }
        }
    }

    private static byte[] All(string file)
    {
        try
        {
            return File.ReadAllBytes(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
