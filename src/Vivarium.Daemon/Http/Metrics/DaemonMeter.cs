using System.Diagnostics.Metrics;
using System.Globalization;
using Vivarium.Host.Metrics;
using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Daemon.Http.Metrics;

/// <summary>Metrics of the daemon itself: its API, and what it costs the machine.</summary>
internal sealed class DaemonMeter : IDisposable
{
    private readonly Meter meter = new("Vivarium.Daemon");
    private readonly Meter process = new("Vivarium.Process");
    private readonly Counter<long> requests;
    private readonly Histogram<double> requestTime;
    private readonly Counter<long> sessionRequests;
    private readonly Histogram<double> sessionTime;

    /// <summary>Makes the instruments.</summary>
    public DaemonMeter(TimeProvider time)
    {
        var started = time.GetUtcNow().ToUnixTimeMilliseconds() / 1000d;
        requests = meter.CreateCounter<long>("vivarium.api.requests", null, "Requests on the daemon's socket, by method and how they ended (ok or an error code).");
        requestTime = meter.CreateHistogram(
            "vivarium.api.request.duration", "s", "Time requests on the daemon's socket took, by method.", null, new InstrumentAdvice<double> { HistogramBucketBoundaries = HostMetrics.Seconds });
        sessionRequests = meter.CreateCounter<long>("vivarium.session.requests", null, "Calls of the session service, by method and how they ended (ok or an error code).");
        sessionTime = meter.CreateHistogram(
            "vivarium.session.request.duration", "s", "Time calls of the session service took, by method.", null, new InstrumentAdvice<double> { HistogramBucketBoundaries = HostMetrics.Seconds });
        meter.CreateObservableGauge(
            "vivarium.build.info",
            static () => new Measurement<long>(1, new("version", ProgramVersion.Text), new("api", VersionReply.CurrentApi), new("supervisor_protocol", SupervisorMethod.Protocol)),
            null,
            "1, with the daemon's versions as labels.");
        process.CreateObservableCounter("process.cpu", static () => Environment.CpuUsage.TotalTime.TotalSeconds, "s", "CPU time of the daemon.");
        process.CreateObservableGauge("process.resident.memory", static () => Environment.WorkingSet, "By", "Resident memory of the daemon.");
        process.CreateObservableGauge("process.heap", static () => GC.GetTotalMemory(false), "By", "Managed heap of the daemon.");
        process.CreateObservableGauge("process.open.fds", static () => (long)Directory.EnumerateFileSystemEntries("/proc/self/fd").Count(), null, "Descriptors the daemon has open.");
        process.CreateObservableGauge("process.max.fds", static () => MaxDescriptors(), null, "Descriptors the daemon may have open.");
        process.CreateObservableGauge("process.threads", static () => (long)Directory.EnumerateDirectories("/proc/self/task").Count(), null, "Threads of the daemon.");
        process.CreateObservableGauge("process.start.time", () => started, "s", "When the daemon started, seconds since the Unix epoch.");
    }

    /// <summary>Adds the number of open connections.</summary>
    public void Connections(Func<long> count) => meter.CreateObservableGauge("vivarium.api.connections", count, null, "Connections open on the daemon's socket.");

    /// <summary>Counts a request; methods are those there are, for others are refused before they come here.</summary>
    public void Served(JsonRpcCall call, TimeSpan took, ErrorInfo? error)
    {
        requests.Add(1, new("method", call.Method), new("code", error?.Code ?? "ok"));
        requestTime.Record(took.TotalSeconds, new KeyValuePair<string, object?>("method", call.Method));
    }

    /// <summary>Counts a call of the session service; methods are those there are.</summary>
    public void SessionServed(string method, TimeSpan took, string code)
    {
        sessionRequests.Add(1, new("method", method), new("code", code));
        sessionTime.Record(took.TotalSeconds, new KeyValuePair<string, object?>("method", method));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        meter.Dispose();
        process.Dispose();
    }

    private static long MaxDescriptors()
    {
        var line = File.ReadLines("/proc/self/limits").FirstOrDefault(static l => l.StartsWith("Max open files", StringComparison.Ordinal));
        var words = line?.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words is { Length: > 3 } && long.TryParse(words[3], NumberStyles.None, CultureInfo.InvariantCulture, out var soft) ? soft : 0;
    }
}
