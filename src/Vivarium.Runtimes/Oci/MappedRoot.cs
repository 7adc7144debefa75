using Vivarium.Linux.Files;
using Vivarium.Linux.Mounts;
using Vivarium.Linux.Namespaces;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;
using HostRange = Vivarium.Linux.Namespaces.IdRange;

namespace Vivarium.Runtimes.Oci;

/// <summary>
/// The view an engine gets of the host when the sandbox has a user namespace: its volume and shares through id-mapped mounts, so that the files keep
/// their owners on disk while the sandbox's root is nobody on the host. The mounts live in a mount namespace that only the engine program is in:
/// they end with it, and no crash can leave one behind.
/// </summary>
/// <remarks>
/// The engine sets the container up as the sandbox's root already, who may not pass through our private directories: so the mounts are staged below a
/// public directory of the host, covered in that namespace only. And in a network namespace that is not its own (one prepared by us) it may not mount
/// a sysfs: so that is staged as well, read-only.
/// </remarks>
internal sealed class MappedRoot
{
    private static readonly string[] Stages = ["/media", "/srv", "/mnt", "/opt", "/home"];

    private readonly SupervisorSpec spec;
    private readonly string stage;

    private MappedRoot(SupervisorSpec spec, string stage)
    {
        this.spec = spec;
        this.stage = stage;
    }

    /// <summary>The specification as the engine must see it, with every host path mapped.</summary>
    public SupervisorSpec Staged => spec with
    {
        RootPath = stage + "/root",
        Shares = spec.Shares is null ? null : [.. spec.Shares.Select((share, i) => share with { HostPath = ShareStage.PathOf(stage, i) })],
    };

    /// <summary>A sysfs of the sandbox's network namespace to bind in; null where the engine mounts its own.</summary>
    public string? SysPath => spec.Network.NamespacePath is null ? null : stage + "/sys";

    /// <summary>Plans the view; null when the sandbox has no user namespace.</summary>
    /// <param name="spec">The sandbox.</param>
    /// <param name="stateDirectory">Where the engine finds its bundle and keeps its state.</param>
    public static MappedRoot? Plan(SupervisorSpec spec, string stateDirectory)
    {
        if (spec.IdRange is null)
        {
            return null;
        }

        // What the engine program opens by path after the stage has been covered. Volume and shares are opened before.
        string[] needed = [.. new[] { spec.GuestAgentPath, spec.EnginePath, stateDirectory, spec.Network.NamespacePath }.OfType<string>().Select(Real)];
        var stage = Array.Find(Stages, candidate => Directory.Exists(candidate) && Real(candidate) is var real
            && !Array.Exists(needed, path => path == real || path.StartsWith(real + "/", StringComparison.Ordinal)));
        return stage is null
            ? throw new VivariumException(ErrorCode.FailedPrecondition, "cannot start the sandbox with a user namespace: none of /media, /srv, /mnt, /opt, /home can be covered for it")
            : new MappedRoot(spec, stage);
    }

    /// <summary>Makes the mounts in a namespace of their own and runs <paramref name="work"/> there, which starts the engine.</summary>
    /// <exception cref="Linux.LinuxException">The kernel or a file system has no id-mapped mounts.</exception>
    /// <exception cref="VivariumException">failed_precondition: a share is not there any more.</exception>
    public T Run<T>(Func<T> work, Func<T, Task> ended) => NamespaceThread.StartInNew(NamespaceKinds.Mount, () =>
    {
        using var user = UserNamespace.Create([new HostRange(0, spec.IdRange!.First, spec.IdRange.Count)]);
        Mount.MakePrivate("/");
        using var root = IdMappedMount.Detached(spec.RootPath, user);
        using (var shares = ShareStage.Take(spec.Shares ?? [], user))
        {
            Mount.FileSystem("tmpfs", stage, "tmpfs", data: "mode=755,size=1m");
            Directory.CreateDirectory(stage + "/root");
            IdMappedMount.Attach(root, stage + "/root");
            shares.Attach(stage);
        }

        if (SysPath is { } sys)
        {
            PrepareNetwork(spec.Network.NamespacePath!, sys);
        }

        return work();
    }, ended);

    private static void PrepareNetwork(string networkNamespace, string sys)
    {
        Directory.CreateDirectory(sys);
        NamespaceThread.In(networkNamespace, NamespaceKinds.Network, () =>
        {
            // A sysfs shows the network namespace it was mounted in.
            Mount.FileSystem("sysfs", sys, "sysfs", MountFlags.ReadOnly | MountFlags.NoSetUid | MountFlags.NoDevices | MountFlags.NoExecute);

            // The namespace is the host's, so the sandbox's root has no rights over it: low ports are for everybody in it instead.
            PseudoFile.Write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
            return true;
        });
    }

    /// <summary>The path without symbolic links.</summary>
    private static string Real(string path)
    {
        var real = "";
        foreach (var part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            real = $"{real}/{part}";
            real = new DirectoryInfo(real).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? real;
        }

        return real;
    }
}
