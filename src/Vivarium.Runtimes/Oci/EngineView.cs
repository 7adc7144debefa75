using Vivarium.Linux.Mounts;
using Vivarium.Linux.Namespaces;
using Vivarium.Runtimes.Cgroups;

namespace Vivarium.Runtimes.Oci;

/// <summary>A mount namespace of the engine program's own, for what it must not see. It ends with the program, and no crash can leave anything behind.</summary>
internal static class EngineView
{
    /// <summary>Runs <paramref name="start"/> in a new mount namespace, which starts the engine.</summary>
    public static T Run<T>(Func<T> start, Func<T, Task> ended) => NamespaceThread.StartInNew(NamespaceKinds.Mount, () =>
    {
        Mount.MakePrivate("/");
        return start();
    }, ended);

    /// <summary>
    /// Covers the version 2 hierarchy in the calling thread's mount namespace, which nobody else may share. crun refuses a machine that has both versions as soon as
    /// it finds the newer one beside the older ones, although it needs nothing of it; so it sees a machine of version 1. It makes a directory there all the same, which goes with
    /// the cover. Source: libcrun_get_cgroup_mode() in crun's src/libcrun/cgroup-utils.c.
    /// </summary>
    public static void HideUnifiedHierarchy(CgroupHierarchies hierarchies) =>
        Mount.FileSystem("tmpfs", hierarchies.V2!, "tmpfs", MountFlags.NoSetUid | MountFlags.NoDevices | MountFlags.NoExecute, "mode=755,size=64k");
}
