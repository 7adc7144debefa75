using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Vivarium.Configuration;
using Vivarium.Host.Engines;
using Vivarium.Linux.Mounts;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>
/// Which host ids a sandbox's user namespace uses. Each record holds a number no other record has, so ranges never overlap, and a range is free again when its
/// sandbox is gone. They lie where neither the distribution's users and subordinate ids (/etc/subuid) nor systemd's containers are:
/// systemd.io/UIDS-GIDS leaves 1879048192 to 2147352575 alone.
/// </summary>
internal sealed partial class IdRanges(VivariumConfig config, ILogger<IdRanges> logger)
{
    /// <summary>First host id of the first range.</summary>
    public const uint First = 0x7000_0000;

    /// <summary>First host id that is not ours any more; the last range is left to trials of engines.</summary>
    public const uint End = 0x7FFE_0000 - PerSandbox;

    /// <summary>Ids in a range.</summary>
    public const uint PerSandbox = 65_536;

    // Volumes of one pool share its file system; what was refused once is asked again, the administrator may have mended it.
    private readonly ConcurrentDictionary<string, bool> possible = new(StringComparer.Ordinal);

    /// <summary>The range for this start; null for none.</summary>
    /// <exception cref="VivariumException"><c>failed_precondition</c>, reason <c>user_namespaces_impossible</c>: the configuration demands one and it cannot be.</exception>
    public IdRange? For(SandboxRecord record, EngineChoice engine, string root)
    {
        var wish = config.Runtime.UserNamespaces;
        if (wish == "off" || engine.Runtime != "container")
        {
            return null; // gVisor's kernel keeps ids of its own, and its process has namespaces and a filter of its own
        }

        if (Refusal(record, engine, root) is not { } refusal)
        {
            return Range(record.IdSlot!.Value);
        }

        if (wish == "on")
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"starting sandbox {record.Name}: runtime.user_namespaces is on, and it cannot have one: {refusal}",
                "viv doctor shows what is missing; runtime.user_namespaces = \"auto\" does without where it must.",
                "user_namespaces_impossible");
        }

        LogWithout(record.Id.Value, refusal);
        return null;
    }

    private static IdRange Range(int slot) => new() { First = First + ((uint)slot * PerSandbox), Count = PerSandbox };

    private string? Refusal(SandboxRecord record, EngineChoice engine, string root)
    {
        if (!engine.UserNamespaces)
        {
            return $"{engine.Engine}: {engine.UserNamespaceRefusal ?? "it was not tried"}";
        }

        if (record.IdSlot is not { } slot)
        {
            return "it was made by a version that gave it no range of ids";
        }

        if ((uint)slot >= (End - First) / PerSandbox)
        {
            return $"all {(End - First) / PerSandbox} ranges of ids are in use";
        }

        var pool = Path.GetDirectoryName(root)!;
        if (!possible.ContainsKey(pool))
        {
            if (IdMappedMount.Refusal(root) is { } refusal)
            {
                return $"the file system of the pool: {refusal}";
            }

            possible[pool] = true;
        }

        foreach (var share in record.Shares ?? [])
        {
            if (IdMappedMount.Refusal(share.HostPath) is { } refusal)
            {
                return $"the shared {share.HostPath}: {refusal}";
            }
        }

        return null;
    }

    [LoggerMessage(EventId = 1351, Level = LogLevel.Warning, Message = "sandbox {SandboxId} has no user namespace: {Why}")]
    private partial void LogWithout(string sandboxId, string why);
}
