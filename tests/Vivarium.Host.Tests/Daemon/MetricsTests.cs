using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.Tests.Daemon;

/// <summary>The HTTP listener and <c>/metrics</c> of a real daemon.</summary>
[Collection(DaemonTests.Name)]
public sealed partial class MetricsTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TcpListener squatter = new(IPAddress.Loopback, 0);
    private TestDaemon daemon = null!;
    private string address = "";

    public async ValueTask InitializeAsync()
    {
        // Its port is somebody else's when the daemon starts.
        squatter.Start();
        address = squatter.LocalEndpoint.ToString()!;
        daemon = await TestDaemon.StartAsync("VIVARIUM_HTTP_LISTEN=" + address);
    }

    public async ValueTask DisposeAsync()
    {
        squatter.Dispose();
        await daemon.DisposeAsync();
    }

    [Fact]
    public async Task A_port_in_use_is_a_condition_and_metrics_say_what_there_is_once_it_is_free()
    {
        await using var client = await daemon.ConnectAsync();
        await Eventually.True(async () => (await client.HealthAsync(TestContext.Current.CancellationToken)).Conditions.Any(c => c.Name == "http" && c.Severity == "degraded"), Patience);
        Assert.Null((await client.InfoAsync(TestContext.Current.CancellationToken)).Http);
        squatter.Stop();
        await Eventually.True(async () => (await client.InfoAsync(TestContext.Current.CancellationToken)).Http is not null, Patience);
        Assert.Equal("http://" + address, (await client.InfoAsync(TestContext.Current.CancellationToken)).Http);
        Assert.DoesNotContain((await client.HealthAsync(TestContext.Current.CancellationToken)).Conditions, c => c.Name == "http");

        var sandbox = await daemon.CreateAsync("measured-one");
        var refused = await Assert.ThrowsAsync<VivariumException>(() => daemon.CreateAsync("measured-one"));
        Assert.Equal(ErrorCode.AlreadyExists, refused.Code);
        Assert.Equal(0, (await daemon.RunAsync(sandbox.Id, "true")).Exit.Code);
        await Assert.ThrowsAsync<VivariumException>(() => daemon.RunAsync("no-such-sandbox", "true"));

        var text = await GetAsync("/metrics");
        var metrics = StrictExposition.Parse(text);
        Assert.Equal(Documented(), metrics.Families.Select(f => $"{f.Name} {f.Type}"));
        Assert.Equal(1, metrics["vivarium_sandboxes{state=\"running\",runtime=\"container\"}"]);
        Assert.Equal(1, metrics["vivarium_sandbox_creates_total{code=\"ok\"}"]);
        Assert.Equal(1, metrics["vivarium_sandbox_create_duration_seconds_count"]);
        Assert.Equal(1, metrics["vivarium_execs_total{code=\"ok\"}"]);
        Assert.Equal(1, metrics["vivarium_execs_total{code=\"not_found\"}"]);
        Assert.Equal(1, metrics["vivarium_api_requests_total{method=\"sandbox.create\",code=\"already_exists\"}"]);
        Assert.Equal(1, metrics["vivarium_supervisors_connected"]);
        Assert.Equal(0, metrics["vivarium_supervisors_lost_total"]);
        Assert.InRange(metrics["process_resident_memory_bytes"], 1 << 20, 1L << 32);
        Assert.DoesNotContain("measured-one", text, StringComparison.Ordinal);
        Assert.DoesNotContain(sandbox.Id, text, StringComparison.Ordinal);

        await daemon.DestroyAsync(sandbox.Id);
        metrics = StrictExposition.Parse(await GetAsync("/metrics"));
        Assert.Equal(1, metrics["vivarium_sandbox_destroys_total{code=\"ok\"}"]);
        Assert.False(metrics.Samples.ContainsKey("vivarium_sandboxes{state=\"running\",runtime=\"container\"}"));

        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(new HttpRequestMessage(HttpMethod.Get, "/metrics") { Headers = { Host = "rebound.example.com" } }));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(new HttpRequestMessage(HttpMethod.Head, "/metrics") { Headers = { Host = "localhost" } }));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, await StatusAsync(new HttpRequestMessage(HttpMethod.Post, "/metrics")));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(new HttpRequestMessage(HttpMethod.Get, "/")));
        await GarbageAsync();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(new HttpRequestMessage(HttpMethod.Get, "/metrics")));
    }

    private static List<string> Documented()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "Vivarium.slnx")))
        {
            root = root.Parent!;
        }

        return [.. Row().Matches(File.ReadAllText(Path.Combine(root.FullName, "docs", "metrics.md"))).Select(m => $"{m.Groups[1].Value} {m.Groups[2].Value}")];
    }

    private async Task<string> GetAsync(string path)
    {
        using var http = new HttpClient(new SocketsHttpHandler()) { BaseAddress = new Uri("http://" + address), Timeout = Patience };
        using var response = await http.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        return await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
    }

    private async Task<HttpStatusCode> StatusAsync(HttpRequestMessage request)
    {
        using var http = new HttpClient(new SocketsHttpHandler()) { BaseAddress = new Uri("http://" + address), Timeout = Patience };
        using (request)
        {
            using var response = await http.SendAsync(request, TestContext.Current.CancellationToken);
            return response.StatusCode;
        }
    }

    /// <summary>What is not HTTP, a header without an end, and a client that leaves at once.</summary>
    private async Task GarbageAsync()
    {
        foreach (var bytes in new[] { new byte[] { 0, 1, 2, 255, 10, 10 }, "GET /metrics HTTP/1.1\r\nA: "u8.ToArray().Concat(Enumerable.Repeat((byte)'x', 200_000)).ToArray(), [] })
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(IPEndPoint.Parse(address), TestContext.Current.CancellationToken);
            try
            {
                await socket.GetStream().WriteAsync(bytes, TestContext.Current.CancellationToken);
            }
            catch (IOException)
            {
                // Refused while we were still sending.
            }
        }
    }

    [GeneratedRegex(@"^\| `([a-z_]+)` \| (counter|gauge|histogram) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    /// <summary>A reader of the text format that accepts nothing but what the format's description allows; it shares no code with the writer.</summary>
    private sealed partial class StrictExposition
    {
        public List<(string Name, string Type)> Families { get; } = [];

        public Dictionary<string, double> Samples { get; } = new(StringComparer.Ordinal);

        public double this[string series] => Samples.TryGetValue(series, out var value) ? value : throw new KeyNotFoundException($"no {series} among\n{string.Join('\n', Samples.Keys)}");

        public static StrictExposition Parse(string text)
        {
            var found = new StrictExposition();
            Assert.EndsWith("\n", text, StringComparison.Ordinal);
            string? helped = null;
            foreach (var line in text[..^1].Split('\n'))
            {
                if (Help().Match(line) is { Success: true } help)
                {
                    helped = help.Groups[1].Value;
                    Assert.DoesNotContain(found.Families, f => f.Name == helped);
                }
                else if (Type().Match(line) is { Success: true } type)
                {
                    Assert.Equal(helped, type.Groups[1].Value);
                    found.Families.Add((type.Groups[1].Value, type.Groups[2].Value));
                }
                else
                {
                    found.Take(Sample().Match(line), line);
                }
            }

            found.CheckHistograms();
            return found;
        }

        private void Take(Match sample, string line)
        {
            Assert.True(sample.Success, $"not a sample: {line}");
            var (family, type) = Families[^1];
            var name = sample.Groups[1].Value;
            string[] allowed = type == "histogram" ? [family + "_bucket", family + "_sum", family + "_count"] : [family];
            Assert.Contains(name, allowed);
            var names = Label().Matches(sample.Groups[2].Value).Select(m => m.Groups[1].Value).ToList();
            Assert.Equal(names.Count, names.Distinct().Count());
            var value = sample.Groups[3].Value is "+Inf" ? double.PositiveInfinity : double.Parse(sample.Groups[3].Value, NumberStyles.Float, CultureInfo.InvariantCulture);
            Assert.True(type != "counter" || value >= 0, line);
            Assert.True(Samples.TryAdd(name + sample.Groups[2].Value, value), $"twice: {line}");
        }

        private void CheckHistograms()
        {
            foreach (var (name, _) in Families.Where(f => f.Type == "histogram"))
            {
                foreach (var (count, total) in Samples.Where(s => s.Key.StartsWith(name + "_count", StringComparison.Ordinal)).ToList())
                {
                    var labels = count[(name + "_count").Length..].Trim('{', '}');
                    var prefix = $"{name}_bucket{{{(labels.Length > 0 ? labels + "," : "")}le=\"";
                    var buckets = Samples.Where(s => s.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(s => s.Value).ToList();
                    Assert.Equal(buckets.Order(), buckets);
                    Assert.Equal(total, this[prefix + "+Inf\"}"]);
                }
            }
        }

        [GeneratedRegex(@"^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (?:[^\\\n]|\\\\|\\n)+$")]
        private static partial Regex Help();

        [GeneratedRegex(@"^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$")]
        private static partial Regex Type();

        [GeneratedRegex(@"^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*=""(?:[^\\""\n]|\\\\|\\""|\\n)*"",?)*(?<!,)\})? (\+Inf|[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)$")]
        private static partial Regex Sample();

        [GeneratedRegex(@"([a-zA-Z_][a-zA-Z0-9_]*)=""(?:[^\\""]|\\.)*""")]
        private static partial Regex Label();
    }
}
