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
/// public directory of the host, covered in that namespace only.
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
        Shares = spec.Shares is null ? null : [.. spec.Shares.Select((share, i) => share with { HostPath = Share(i) })],
    };

    /// <summary>Plans the view; null when the sandbox has no user namespace.</summary>
    public static MappedRoot? Plan(SupervisorSpec spec)
    {
        if (spec.IdRange is null)
        {
            return null;
        }

        string[] needed = [spec.RootPath, spec.GuestAgentPath, spec.EnginePath, spec.LogDirectory, .. (spec.Shares ?? []).Select(static share => share.HostPath)];
        var stage = Array.Find(Stages, candidate => Directory.Exists(candidate)
            && !Array.Exists(needed, path => path == candidate || path.StartsWith(candidate + "/", StringComparison.Ordinal)));
        return stage is null
            ? throw new VivariumException(ErrorCode.FailedPrecondition, "cannot start the sandbox with a user namespace: none of /media, /srv, /mnt, /opt, /home can be covered for it")
            : new MappedRoot(spec, stage);
    }

    /// <summary>Makes the mounts in a namespace of their own and runs <paramref name="work"/> there, which starts the engine.</summary>
    /// <exception cref="Linux.LinuxException">The kernel or a file system has no id-mapped mounts.</exception>
    public T Run<T>(Func<T> work) => NamespaceThread.InNew(NamespaceKinds.Mount, () =>
    {
        HostRange[] ranges = [new(0, spec.IdRange!.First, spec.IdRange.Count)];
        Mount.MakePrivate("/");
        Mount.FileSystem("tmpfs", stage, "tmpfs", data: "mode=755,size=1m");
        MakeMapped(spec.RootPath, stage + "/root", ranges);
        for (var i = 0; i < (spec.Shares?.Count ?? 0); i++)
        {
            MakeMapped(spec.Shares![i].HostPath, Share(i), ranges);
        }

        return work();
    });

    private static void MakeMapped(string source, string target, HostRange[] ranges)
    {
        if (Directory.Exists(source))
        {
            Directory.CreateDirectory(target);
        }
        else
        {
            File.Create(target).Dispose();
        }

        IdMappedMount.Create(source, target, ranges);
    }

    private string Share(int index) => $"{stage}/share-{index}";
}
