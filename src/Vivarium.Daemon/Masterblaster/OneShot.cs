using System.Globalization;
using System.Text.Json.Serialization;
using Vivarium.Host;
using Vivarium.Host.Sandboxes;
using Vivarium.Transport.Lines;
using Vivarium.Wire.Errors;

namespace Vivarium.Daemon.Masterblaster;

/// <summary>One request and one response a connection, in the Masterblaster daemon's form. Looking works; making and ending sandboxes this way is not built yet.</summary>
internal sealed class OneShot(VivariumHost host)
{
    private const int MaxRequest = 64 * 1024;

    /// <summary>Answers one request.</summary>
    public async Task ServeAsync(LineStream stream, CancellationToken cancellationToken)
    {
        MbResponse response;
        try
        {
            response = Answer(await stream.ReadJsonLineAsync(MbJson.Default.MbRequest, MaxRequest, cancellationToken).ConfigureAwait(false));
        }
        catch (VivariumException e)
        {
            response = new MbResponse { Ok = false, Error = "invalid request: " + e.Message };
        }

        await stream.WriteJsonLineAsync(response, MbJson.Default.MbResponse, cancellationToken).ConfigureAwait(false);
    }

    private MbResponse Answer(MbRequest request) => request.Method switch
    {
        "ping" => new MbResponse { Ok = true },
        "list" => All(),
        "status" when request.All || string.IsNullOrEmpty(request.Name) => StatusOfOnly(request),
        "status" => One(request.Name!),
        "up" or "down" or "destroy" => new MbResponse { Ok = false, Error = $"{request.Method} is not available in this form yet: use viv" },
        _ => new MbResponse { Ok = false, Error = $"unknown method: {request.Method}" },
    };

    private MbResponse StatusOfOnly(MbRequest request)
    {
        var all = host.Services.Catalog.All();
        return request.All || all.Count == 1 ? All()
            : all.Count == 0 ? new MbResponse { Ok = false, Error = "no sandboxes found" }
            : new MbResponse { Ok = false, Error = $"multiple sandboxes exist, please specify one: [{string.Join(' ', all.Select(static s => s.Record.Name))}]" };
    }

    private MbResponse One(string name)
    {
        foreach (var sandbox in host.Services.Catalog.All())
        {
            if (sandbox.Record.Name == name)
            {
                return new MbResponse { Ok = true, Sandboxes = [View(sandbox.Record)] };
            }
        }

        return new MbResponse { Ok = false, Error = $"sandbox \"{name}\" not found" };
    }

    private MbResponse All()
    {
        MbSandbox[] all = [.. host.Services.Catalog.All().Select(static s => View(s.Record))];
        return new MbResponse { Ok = true, Sandboxes = all.Length == 0 ? null : all };
    }

    private static MbSandbox View(SandboxRecord record) => new()
    {
        Name = record.Name,
        State = record.State,
        Mixtape = record.Template,
        Cpus = Math.Max(1, (int)Math.Ceiling(record.Resources.Cpus)),
        Memory = Memory(record.Resources.MemoryBytes),
        SshAddress = "127.0.0.1:0",
        NetworkMode = record.Network,
    };

    private static string Memory(long bytes) => bytes % (1L << 30) == 0
        ? (bytes >> 30).ToString(CultureInfo.InvariantCulture) + "GiB"
        : (bytes >> 20).ToString(CultureInfo.InvariantCulture) + "MiB";
}

/// <summary>Request of that protocol.</summary>
internal sealed record MbRequest
{
    public required string Method { get; init; }

    public string? Name { get; init; }

    public string? ConfigPath { get; init; }

    public bool Force { get; init; }

    public bool All { get; init; }
}

/// <summary>Response of that protocol.</summary>
internal sealed record MbResponse
{
    public required bool Ok { get; init; }

    public string? Error { get; init; }

    public IReadOnlyList<MbSandbox>? Sandboxes { get; init; }
}

/// <summary>A sandbox in that protocol; ports are 0 where there are none.</summary>
internal sealed record MbSandbox
{
    public required string Name { get; init; }

    public required string State { get; init; }

    public required string Mixtape { get; init; }

    public required int Cpus { get; init; }

    public required string Memory { get; init; }

    public int SshPort { get; init; }

    public required string SshAddress { get; init; }

    public int VsockPort { get; init; }

    public required string NetworkMode { get; init; }
}

/// <summary>JSON of that protocol.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(MbRequest))]
[JsonSerializable(typeof(MbResponse))]
internal sealed partial class MbJson : JsonSerializerContext;
