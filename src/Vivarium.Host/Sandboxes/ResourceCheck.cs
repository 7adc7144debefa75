using Vivarium.Configuration.Sections;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>Whether the resources asked for make sense and are within the limits of the configuration.</summary>
internal static class ResourceCheck
{
    private const long MinMemory = 16L << 20;
    private const int MinPids = 16;
    private const long MinDisk = 1L << 20;

    /// <summary>Returns what was given, or refuses it naming what is wrong.</summary>
    /// <param name="doing">Beginning of the sentence: "creating a sandbox".</param>
    /// <param name="wanted">What is asked for.</param>
    /// <param name="limits">What no one may exceed.</param>
    public static ResourceSpec Require(string doing, ResourceSpec wanted, LimitsConfig limits)
    {
        if (!double.IsFinite(wanted.Cpus) || wanted.Cpus < 0.01 || wanted.Cpus > 1024)
        {
            throw Bad(doing, $"{wanted.Cpus} CPUs are out of range", "Give 0.01 to 1024.", "bad_cpus");
        }

        if (wanted.Cpus > limits.MaxCpus)
        {
            throw Over(doing, $"{wanted.Cpus} CPUs are more than the limit of {limits.MaxCpus}", "limits.max_cpus");
        }

        if (wanted.MemoryBytes is < MinMemory or > 1L << 50)
        {
            throw Bad(doing, $"{wanted.MemoryBytes} bytes of memory are out of range", "Give at least 16 MiB.", "bad_memory");
        }

        if (wanted.MemoryBytes > limits.MaxMemory?.Bytes)
        {
            throw Over(doing, $"{wanted.MemoryBytes} bytes of memory are more than the limit of {limits.MaxMemory?.Bytes}", "limits.max_memory");
        }

        if (wanted.Pids is < MinPids or > 4_000_000)
        {
            throw Bad(doing, $"{wanted.Pids} processes are out of range", "Give at least 16.", "bad_pids");
        }

        if (wanted.Pids > limits.MaxPids)
        {
            throw Over(doing, $"{wanted.Pids} processes are more than the limit of {limits.MaxPids}", "limits.max_pids");
        }

        if (wanted.DiskBytes is < MinDisk or > 1L << 60)
        {
            throw Bad(doing, $"{wanted.DiskBytes} bytes of disk are out of range", "Give at least 1 MiB.", "bad_disk");
        }

        return wanted;
    }

    private static VivariumException Bad(string doing, string what, string hint, string reason) => new(ErrorCode.InvalidArgument, $"{doing}: {what}", hint, reason);

    private static VivariumException Over(string doing, string what, string key) =>
        new(ErrorCode.ResourceExhausted, $"{doing}: {what}", $"Ask for less, or raise {key}.", "over_limit");
}
