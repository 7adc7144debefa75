using Vivarium.Wire.Errors;

namespace Vivarium.Runtimes;

/// <summary>What every engine requires of its start options.</summary>
internal static class StartOptionsCheck
{
    private const long MinMemoryBytes = 16 * 1024 * 1024;
    private const int MinPids = 16;

    /// <exception cref="VivariumException">invalid_argument, naming what is wrong.</exception>
    public static void Require(RuntimeStartOptions options)
    {
        if (!Directory.Exists(options.StateDirectory))
        {
            throw Invalid($"the state directory {options.StateDirectory} does not exist");
        }

        var limits = options.Spec.Resources;
        if (limits.Cpus > 0 != limits.MemoryBytes > 0)
        {
            throw Invalid($"only {(limits.Cpus > 0 ? "cpus" : "memory")} is given", "give both cpus and memory");
        }

        if (!(limits.Cpus > 0) || double.IsInfinity(limits.Cpus))
        {
            throw Invalid("cpus and memory are not given", "limits are always set");
        }

        if (limits.MemoryBytes < MinMemoryBytes)
        {
            throw Invalid($"a memory limit of {limits.MemoryBytes} bytes is too small", "give at least 16 MiB");
        }

        if (limits.Pids < MinPids)
        {
            throw Invalid($"a limit of {limits.Pids} processes is too small", "give at least 16");
        }

        if (!Path.IsPathFullyQualified(options.Spec.RootPath) || !Directory.Exists(options.Spec.RootPath))
        {
            throw Invalid($"the root directory {options.Spec.RootPath} does not exist");
        }

        if (!File.Exists(options.Spec.GuestAgentPath))
        {
            throw Invalid($"the guest agent {options.Spec.GuestAgentPath} does not exist", "run ./viv once to build it, or set runtime.guest_agent");
        }
    }

    private static VivariumException Invalid(string what, string? hint = null) =>
        new(ErrorCode.InvalidArgument, $"cannot start the sandbox: {what}", hint);
}
