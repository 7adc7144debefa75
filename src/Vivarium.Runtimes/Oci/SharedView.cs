using Vivarium.Linux.Mounts;
using Vivarium.Linux.Namespaces;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Oci;

/// <summary>
/// The view an engine gets of the host when the sandbox has shares but no user namespace: a mount namespace of its own in which the shares are laid out. It
/// ends with the last program in it, and no crash can leave a mount behind.
/// </summary>
internal sealed class SharedView
{
    private const string StageName = "shares";

    private readonly SupervisorSpec spec;
    private readonly string stage;

    private SharedView(SupervisorSpec spec, string stage)
    {
        this.spec = spec;
        this.stage = stage;
    }

    /// <summary>The specification as the engine must see it.</summary>
    public SupervisorSpec Staged => spec with { Shares = [.. spec.Shares!.Select((share, i) => share with { HostPath = ShareStage.PathOf(stage, i) })] };

    /// <summary>Plans the view; null when there is nothing to lay out.</summary>
    public static SharedView? Plan(SupervisorSpec spec, string stateDirectory) =>
        spec is { IdRange: null, Shares.Count: > 0 } ? new SharedView(spec, Path.Combine(stateDirectory, StageName)) : null;

    /// <summary>Lays the shares out and runs <paramref name="work"/> there, which starts the engine.</summary>
    /// <exception cref="Vivarium.Wire.Errors.VivariumException">failed_precondition: see <see cref="ShareStage.Take"/>.</exception>
    public T Run<T>(Func<T> work, Func<T, Task> ended)
    {
        Directory.CreateDirectory(stage, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return NamespaceThread.StartInNew(NamespaceKinds.Mount, () =>
        {
            Mount.MakePrivate("/");
            using var shares = ShareStage.Take(spec.Shares!, user: null);
            Mount.FileSystem("tmpfs", stage, "tmpfs", data: "mode=700,size=1m");
            shares.Attach(stage);
            return work();
        }, ended);
    }
}
