using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Cli.Top;

/// <summary>Looks at all sandboxes; CPU comes from two looks.</summary>
internal sealed class TopSampler(HostConnection host)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private Dictionary<string, TopRow> _before = [];

    /// <summary>One look. A sandbox that ended meanwhile, or does not answer, is shown without usage.</summary>
    public IReadOnlyList<TopRow> Look()
    {
        var list = host.Call(HostMethod.List, new ListParams(), HostJson.Default.ListParams, HostJson.Default.SandboxList, new ConnectionWait(Patience));
        List<TopRow> rows = [.. list.Sandboxes.Select(Measure)];
        _before = rows.ToDictionary(row => row.Sandbox.Id);
        return rows;
    }

    private TopRow Measure(SandboxInfo sandbox)
    {
        var usage = sandbox.State is SandboxState.Running or SandboxState.Paused ? Usage(sandbox.Id) : null;
        var now = Environment.TickCount64;
        double? cpu = usage?.CpuUs is { } to && _before.GetValueOrDefault(sandbox.Id) is { Usage.CpuUs: { } from, AtMs: var then } && now > then && to >= from
            ? (to - from) / 1000.0 / (now - then)
            : null;
        return new TopRow(sandbox, usage, cpu, now);
    }

    private SandboxUsage? Usage(string id)
    {
        try
        {
            return host.Call(HostMethod.Stats, new RefParams { Ref = id }, HostJson.Default.RefParams, HostJson.Default.SandboxUsage, new ConnectionWait(Patience));
        }
        catch (RemoteException)
        {
            return null;
        }
    }
}
