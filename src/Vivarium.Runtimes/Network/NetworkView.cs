using Vivarium.Linux.Mounts;
using Vivarium.Linux.Namespaces;

namespace Vivarium.Runtimes.Network;

/// <summary>
/// What an engine that takes over a prepared network namespace must not see. gVisor refuses to take over the machine's own network, and takes a namespace for that
/// one when <c>/proc/sys/net/core/rmem_default</c> is there. Since Linux 6.16 it is there in every namespace; so the engine, in a mount namespace of its own, finds that
/// directory empty. Without effect on older kernels, where the file was the machine's alone.
/// </summary>
internal static class NetworkView
{
    private const string MachineSettings = "/proc/sys/net/core";

    /// <summary>Empties the directory in the calling thread's mount namespace, which nobody else may share, as seen from a network namespace.</summary>
    public static void HideMachineSettings(string networkNamespace) => NamespaceThread.In(networkNamespace, NamespaceKinds.Network, () =>
    {
        // Each network namespace has its own directory under that one name, and a mount is on one of them: so it is made from inside.
        Mount.FileSystem("tmpfs", MachineSettings, "tmpfs", MountFlags.ReadOnly | MountFlags.NoSetUid | MountFlags.NoDevices | MountFlags.NoExecute, "mode=755,size=4k");
        return true;
    });
}
