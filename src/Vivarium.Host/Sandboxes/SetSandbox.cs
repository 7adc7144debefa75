using System.Globalization;
using Vivarium.Host.Naming;
using Vivarium.Runtimes.Cgroups;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>
/// Changes settings of a sandbox that exists. Everything is checked first; then the limits that are in force are changed where they are (its cgroup, its
/// volume's quota), then the record is stored. A limit the kernel refuses is put back, and nothing is stored.
/// </summary>
internal sealed class SetSandbox(HostServices host)
{
    /// <summary>Applies the change; the second part says what waits for the next start.</summary>
    public Task<(SandboxRecord Record, IReadOnlyList<string> AtNextStart)> RunAsync(Sandbox sandbox, SetParams p) => sandbox.PerformAsync(GateRules.Set, async token =>
    {
        var before = sandbox.Record;
        var next = Checked(before, p);
        List<string> later = [];
        var live = sandbox.Link is { } link && next.Resources with { DiskBytes = before.Resources.DiskBytes } != before.Resources ? link.Info.Capabilities : null;
        if (live is not null)
        {
            SetLive(before, next.Resources, live);
            if (before.Runtime == "gvisor" && next.Resources.MemoryBytes != before.Resources.MemoryBytes)
            {
                later.Add("the new memory limit is in force; what programs inside are told of it (/proc/meminfo) changes with the next start");
            }
        }

        if (next.Resources.DiskBytes != before.Resources.DiskBytes)
        {
            try
            {
                await SetDiskAsync(before, next.Resources.DiskBytes, token).ConfigureAwait(false);
            }
            catch when (live is not null)
            {
                SetLive(next, before.Resources, live);
                throw;
            }
        }

        sandbox.Publish(next);
        await host.Table.UpdateAsync(next).ConfigureAwait(false);
        SandboxTimers.Arm(host, sandbox);
        host.Events.Publish("sandbox.changed", next, "set", Changes(before, next));
        return (next, (IReadOnlyList<string>)later);
    });

    /// <summary>Bytes counted against the disk limit; null without one, or when the pool does not answer.</summary>
    public async Task<long?> DiskUsedAsync(SandboxRecord record, CancellationToken cancellationToken)
    {
        if (record.Resources.DiskBytes is null || host.Pool.Current is not { } volumes)
        {
            return null;
        }

        try
        {
            return await volumes.CountedAsync(VolumeKind.Sandbox, record.Id.Value, cancellationToken).ConfigureAwait(false);
        }
        catch (VivariumException)
        {
            return null;
        }
    }

    private SandboxRecord Checked(SandboxRecord before, SetParams p)
    {
        var doing = $"changing sandbox {before.Name}";
        var resources = ResourceCheck.Require(
            doing,
            before.Resources with
            {
                Cpus = p.Cpus ?? before.Resources.Cpus,
                MemoryBytes = p.MemoryBytes ?? before.Resources.MemoryBytes,
                Pids = p.Pids ?? before.Resources.Pids,
                DiskBytes = p.DiskBytes switch { null => before.Resources.DiskBytes, 0 => null, var bytes => bytes },
            },
            host.Config.Limits);
        var life = p.TimeoutMs is null ? before.TimeoutMs : CreateRequest.Life(p.TimeoutMs, null, host.Config.Limits.MaxTimeout);
        return before with
        {
            Resources = resources,
            TimeoutMs = life,
            ExpiresUnixMs = p.TimeoutMs is null ? before.ExpiresUnixMs : life is null ? null : host.Now + life,
            IdleTimeoutMs = p.IdleTimeoutMs is null ? before.IdleTimeoutMs : CreateRequest.Span("idle_timeout_ms", p.IdleTimeoutMs),
            OnTimeout = p.OnTimeout is null ? before.OnTimeout : CreateRequest.OnTimeout(p.OnTimeout),
            Labels = Labels(before, p),
        };
    }

    private static IReadOnlyDictionary<string, string>? Labels(SandboxRecord before, SetParams p)
    {
        if (p.Labels is null && p.RemoveLabels is null)
        {
            return before.Labels;
        }

        var labels = new Dictionary<string, string>(before.Labels ?? new Dictionary<string, string>(), StringComparer.Ordinal);
        foreach (var name in p.RemoveLabels ?? [])
        {
            labels.Remove(name);
        }

        foreach (var (name, value) in p.Labels ?? new Dictionary<string, string>())
        {
            labels[name] = value;
        }

        NameRules.CheckLabels(labels);
        return labels.Count == 0 ? null : labels;
    }

    private async Task SetDiskAsync(SandboxRecord record, long? bytes, CancellationToken cancellationToken)
    {
        var volumes = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        await volumes.SetQuotaAsync(VolumeKind.Sandbox, record.Id.Value, bytes, cancellationToken).ConfigureAwait(false);
    }

    private void SetLive(SandboxRecord before, ResourceSpec wanted, RuntimeCapabilities can)
    {
        if (!can.Limits)
        {
            throw new VivariumException(
                ErrorCode.Unimplemented, $"changing sandbox {before.Name}: the runtime {before.Runtime} has no limits to change", "Use container or gvisor.", "limits_not_available");
        }

        var cgroup = new SandboxCgroup(host.Config.Runtime.CgroupRoot.TrimEnd('/') + "/" + before.Id.Value);
        if (wanted.MemoryBytes < before.Resources.MemoryBytes && cgroup.MemoryInUse() is { } used && used > wanted.MemoryBytes)
        {
            // Version 2 would kill for it, version 1 refuse with a bare EBUSY.
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"changing sandbox {before.Name}: it uses {Mebibytes(used)} of memory now, more than {Mebibytes(wanted.MemoryBytes)}",
                "End processes in it, or stop it first: the limit then counts from the next start.",
                "memory_in_use");
        }

        try
        {
            cgroup.Limit(wanted);
        }
        catch (VivariumException)
        {
            cgroup.Limit(before.Resources);
            throw;
        }
    }

    private static string Mebibytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:0.#} MiB");

    private static string Changes(SandboxRecord before, SandboxRecord next)
    {
        List<string> words = [];
        void Note(string name, object? from, object? to)
        {
            if (!Equals(from, to))
            {
                words.Add(string.Create(CultureInfo.InvariantCulture, $"{name} {from ?? "none"} to {to ?? "none"}"));
            }
        }

        Note("cpus", before.Resources.Cpus, next.Resources.Cpus);
        Note("memory", before.Resources.MemoryBytes, next.Resources.MemoryBytes);
        Note("pids", before.Resources.Pids, next.Resources.Pids);
        Note("disk", before.Resources.DiskBytes, next.Resources.DiskBytes);
        Note("timeout", before.TimeoutMs, next.TimeoutMs);
        Note("idle timeout", before.IdleTimeoutMs, next.IdleTimeoutMs);
        Note("on timeout", before.OnTimeout, next.OnTimeout);
        if (!ReferenceEquals(before.Labels, next.Labels))
        {
            words.Add("labels");
        }

        return words.Count == 0 ? "nothing changed" : string.Join(", ", words);
    }
}
