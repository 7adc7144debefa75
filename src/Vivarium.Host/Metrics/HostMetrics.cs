using System.Diagnostics.Metrics;
using Vivarium.Host.Operations;
using Vivarium.Host.Tools;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Metrics;

/// <summary>
/// Counters and histograms of the domain. Recording costs next to nothing while nobody listens. Labels are words of ours (codes, kinds, reasons), never an id
/// or anything a client chose.
/// </summary>
internal sealed class HostMetrics : IDisposable
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "Vivarium.Host";

    /// <summary>Upper bounds of the buckets of every duration here, in seconds.</summary>
    public static readonly IReadOnlyList<double> Seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

    private static readonly InstrumentAdvice<double> Buckets = new() { HistogramBucketBoundaries = Seconds };

    private readonly TimeProvider time;
    private readonly Counter<long> creates;
    private readonly Histogram<double> createTime;
    private readonly Counter<long> destroys;
    private readonly Histogram<double> destroyTime;
    private readonly Counter<long> execs;
    private readonly Histogram<double> execTime;
    private readonly Counter<long> tools;
    private readonly Histogram<double> toolTime;
    private readonly Counter<long> operations;
    private readonly Counter<long> events;
    private readonly Counter<long> ends;
    private readonly Counter<long> lost;

    public HostMetrics(TimeProvider time)
    {
        this.time = time;
        creates = Meter.CreateCounter<long>("vivarium.sandbox.creates", null, "Sandboxes asked for, by how that ended (ok or an error code).");
        createTime = Meter.CreateHistogram("vivarium.sandbox.create.duration", "s", "Time from the request for a sandbox until it runs; failures are not in it.", null, Buckets);
        destroys = Meter.CreateCounter<long>("vivarium.sandbox.destroys", null, "Sandboxes destroyed, by how that ended (ok or an error code).");
        destroyTime = Meter.CreateHistogram("vivarium.sandbox.destroy.duration", "s", "Time until no process of a destroyed sandbox is left; failures are not in it.", null, Buckets);
        execs = Meter.CreateCounter<long>("vivarium.execs", null, "Commands run through the daemon's API, by how that ended (ok when the command ran, whatever its exit code).");
        execTime = Meter.CreateHistogram("vivarium.exec.duration", "s", "Time a command run through the daemon's API took; failures are not in it.", null, Buckets);
        tools = Meter.CreateCounter<long>("vivarium.tools", null, "Tool calls, by tool and by how that ended (ok, failed when the tool ran and failed, or an error code); repeats are not in it.");
        toolTime = Meter.CreateHistogram("vivarium.tool.duration", "s", "Time a tool took, by tool; those that could not be run are not in it.", null, Buckets);
        operations = Meter.CreateCounter<long>("vivarium.operations", null, "Operations ended, by kind and status.");
        events = Meter.CreateCounter<long>("vivarium.events", null, "Events, by type.");
        ends = Meter.CreateCounter<long>("vivarium.sandbox.ends", null, "Sandboxes that stopped or failed, by state and reason.");
        lost = Meter.CreateCounter<long>("vivarium.supervisors.lost", null, "Supervisors that died without a last word.");
        lost.Add(0);
    }

    /// <summary>Where instruments of the domain belong.</summary>
    public Meter Meter { get; } = new(MeterName);

    /// <summary>Counts an operation; a creation is one of them.</summary>
    public void OperationEnded(OperationInfo info)
    {
        operations.Add(1, new("kind", info.Kind), new("status", info.Status));
        if (info.Kind != HostMethod.Create)
        {
            return;
        }

        creates.Add(1, new KeyValuePair<string, object?>("code", info.Error?.Code ?? "ok"));
        if (info is { Status: Operation.Succeeded, EndedUnixMs: { } ended })
        {
            createTime.Record((ended - info.StartedUnixMs) / 1000d);
        }
    }

    /// <summary>Counts an event; called under the log's lock.</summary>
    public void Happened(HostEvent e)
    {
        events.Add(1, new KeyValuePair<string, object?>("type", e.Type));
        if (e.Type is "sandbox.stopped" or "sandbox.failed")
        {
            ends.Add(1, new("state", e.Type["sandbox.".Length..]), new("reason", e.Reason ?? "none"));
            lost.Add(e.Reason == "supervisor_died" ? 1 : 0);
        }
    }

    /// <summary>Measures a destruction.</summary>
    public async Task DestroyAsync(Func<Task> destroy) => await MeasureAsync(
        async () =>
        {
            await destroy().ConfigureAwait(false);
            return true;
        },
        destroys,
        destroyTime).ConfigureAwait(false);

    /// <summary>Measures a command run through the API.</summary>
    public ValueTask<T> ExecAsync<T>(Func<ValueTask<T>> run) => MeasureAsync(run, execs, execTime);

    /// <summary>Measures a tool.</summary>
    public async Task<ToolResult> ToolAsync(string tool, Func<Task<ToolResult>> run)
    {
        var began = time.GetTimestamp();
        var code = "ok";
        try
        {
            var result = await run().ConfigureAwait(false);
            code = result.IsError ? "failed" : code;
            toolTime.Record(time.GetElapsedTime(began).TotalSeconds, new KeyValuePair<string, object?>("tool", tool));
            return result;
        }
        catch (Exception e)
        {
            code = Code(e);
            throw;
        }
        finally
        {
            tools.Add(1, new("tool", tool), new("code", code));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Meter.Dispose();

    private static string Code(Exception e) => ErrorCodes.ToText(e switch { VivariumException ours => ours.Code, OperationCanceledException => ErrorCode.Canceled, _ => ErrorCode.Internal });

    private async ValueTask<T> MeasureAsync<T>(Func<ValueTask<T>> work, Counter<long> count, Histogram<double> duration)
    {
        var began = time.GetTimestamp();
        var code = "ok";
        try
        {
            var result = await work().ConfigureAwait(false);
            duration.Record(time.GetElapsedTime(began).TotalSeconds);
            return result;
        }
        catch (Exception e)
        {
            code = Code(e);
            throw;
        }
        finally
        {
            count.Add(1, new KeyValuePair<string, object?>("code", code));
        }
    }
}
