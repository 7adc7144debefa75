using Vivarium.Runtimes.Direct;
using Vivarium.Runtimes.Oci;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes;

/// <summary>Makes the runtime of a specification.</summary>
public static class SandboxRuntimes
{
    /// <summary>A runtime that has not been started.</summary>
    /// <exception cref="VivariumException">unimplemented or invalid_argument: the engine is not built yet or unknown.</exception>
    public static ISandboxRuntime Create(SupervisorSpec spec) => spec.Engine switch
    {
        "runc" or "crun" or "runsc" => new OciRuntime(new OciEngine(spec.Engine, spec.EnginePath, spec.EngineOptions)
        {
            SwapAccounted = Cgroups.CgroupHierarchies.Current.AccountsSwap,
            HasNetwork = spec.Network.Attachment is not null,
        })
        { UserNamespace = spec.IdRange is not null },
        "direct" => new DirectRuntime(),
        "qemu" or "firecracker" => throw new VivariumException(ErrorCode.Unimplemented, $"cannot start the sandbox: engine {spec.Engine} is not built yet", "use the container or gvisor runtime"),
        _ => throw new VivariumException(ErrorCode.InvalidArgument, $"cannot start the sandbox: engine '{spec.Engine}' is unknown", "use runc, crun, runsc or direct"),
    };
}
