using Vivarium.Configuration;
using Vivarium.Host.Naming;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>Checks the parameters of a create against rules and limits before anything is made, and fills in defaults.</summary>
internal static class CreateRequest
{
    private const int MaxEnvironmentBytes = 256 * 1024;
    private const int MaxSecrets = 256;

    /// <summary>Everything about the new sandbox that does not depend on this machine.</summary>
    public static SandboxRecord Check(CreateParams p, VivariumConfig config, TimeProvider time)
    {
        if (p.Name is not null)
        {
            NameRules.CheckName(p.Name);
        }

        if (p.ExternalId is not null)
        {
            NameRules.CheckExternalId(p.ExternalId);
        }

        if (p.Hostname is not null)
        {
            NameRules.CheckHostname(p.Hostname);
        }

        if (p.Labels is not null)
        {
            NameRules.CheckLabels(p.Labels);
        }

        CheckEnvironment(p.Env);
        CheckSecrets(p);
        CheckText("user", p.User);
        CheckText("template", p.Template);
        if (p.Workdir is not null && !IsAbsoluteClean(p.Workdir))
        {
            throw Bad($"the working directory {NameRules.Quote(p.Workdir)} is not an absolute path without '..'", "Give a path like /workspace.", "bad_workdir");
        }

        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var timeout = Life(p.TimeoutMs, config.Defaults.Timeout, config.Limits.MaxTimeout);
        return new SandboxRecord
        {
            Id = SandboxId.New(),
            Name = p.Name ?? string.Empty,
            ExternalId = p.ExternalId,
            State = SandboxState.Creating,
            Runtime = RuntimeOf(p.Runtime ?? config.Defaults.Runtime, config),
            Engine = string.Empty,
            Template = p.Template ?? config.Defaults.Template,
            TemplateDigest = string.Empty,
            Resources = Resources(p, config),
            Network = NetworkOf(p.Network ?? config.Defaults.Network, p.Runtime ?? config.Defaults.Runtime),
            Policy = p.Policy,
            Env = p.Env,
            Shares = ShareRules.Resolve(p.Shares),
            Ports = PortRules.Check(p.Ports),
            User = p.User ?? (config.Defaults.User.Length > 0 ? config.Defaults.User : null),
            Workdir = p.Workdir,
            Hostname = p.Hostname,
            Labels = p.Labels,
            CreatedUnixMs = now,
            TimeoutMs = timeout,
            ExpiresUnixMs = now + timeout,
            IdleTimeoutMs = Span("idle_timeout_ms", p.IdleTimeoutMs) ?? (long?)config.Defaults.IdleTimeout?.TotalMilliseconds,
            OnTimeout = OnTimeout(p.OnTimeout ?? config.Defaults.OnTimeout),
        };
    }

    /// <summary>Milliseconds of life within the limit; null = no limit.</summary>
    public static long? Life(long? asked, TimeSpan? byDefault, TimeSpan? limit)
    {
        var life = asked is null ? (long?)byDefault?.TotalMilliseconds : Span("timeout_ms", asked);
        if (limit is { } most && (life is null || life > most.TotalMilliseconds))
        {
            return asked > 0
                ? throw Bad($"a life of {asked} ms is longer than the limit of {most.TotalMilliseconds:0} ms", "Ask for less, or raise limits.max_timeout.", "timeout_too_long")
                : (long)most.TotalMilliseconds;
        }

        return life;
    }

    /// <summary>A span in milliseconds; 0 means none.</summary>
    public static long? Span(string what, long? ms) => ms switch
    {
        null or 0 => null,
        < 0 or > 3650L * 24 * 3600 * 1000 => throw Bad($"{what} of {ms} is out of range", "Give 0 (none) to ten years in milliseconds.", "bad_timeout"),
        _ => ms,
    };

    /// <summary>What was asked for, else the default within the limits; checked.</summary>
    private static ResourceSpec Resources(CreateParams p, VivariumConfig config) => ResourceCheck.Require(
        "creating a sandbox",
        new ResourceSpec
        {
            Cpus = p.Cpus ?? Math.Min(config.Defaults.Cpus, config.Limits.MaxCpus ?? double.MaxValue),
            MemoryBytes = p.MemoryBytes ?? Math.Min(config.Defaults.Memory.Bytes, config.Limits.MaxMemory?.Bytes ?? long.MaxValue),
            Pids = p.Pids ?? Math.Min(config.Defaults.Pids, config.Limits.MaxPids ?? int.MaxValue),
            DiskBytes = p.DiskBytes ?? config.Defaults.Disk?.Bytes,
        },
        config.Limits);

    private static string RuntimeOf(string runtime, VivariumConfig config) => runtime switch
    {
        "auto" or "container" or "gvisor" => runtime,
        "direct" when config.Runtime.AllowDirect => runtime,
        "direct" => throw new VivariumException(
            ErrorCode.PermissionDenied, "creating a sandbox: the direct runtime isolates nothing and is not allowed here", "Set runtime.allow_direct = true if that is wanted.", "direct_not_allowed"),
        "vm" => throw new VivariumException(
            ErrorCode.Unimplemented, "creating a sandbox: the vm runtime is not built yet", "Use --runtime container or --runtime gvisor.", "runtime_not_built"),
        _ => throw Bad($"the runtime {NameRules.Quote(runtime)} is not known", "Use auto, container, gvisor, vm or direct.", "unknown_runtime"),
    };

    /// <summary>A network mode the runtime can enforce.</summary>
    public static string NetworkOf(string network, string runtime) => network switch
    {
        "nat" when runtime == "direct" => throw Bad(
            "the direct runtime shares the host's network, so the nat network could not be enforced", "Use --net none, or another runtime.", "network_not_enforceable"),
        "none" or "nat" => network,
        _ => throw Bad($"the network mode {NameRules.Quote(network)} is not known", "Use none or nat.", "unknown_network"),
    };

    /// <summary>A word for what happens when the time is up.</summary>
    public static string OnTimeout(string action) => action is "kill" or "pause"
        ? action
        : throw Bad($"on_timeout {NameRules.Quote(action)} is not known", "Use kill or pause.", "bad_on_timeout");

    private static bool IsAbsoluteClean(string path) =>
        path.Length is > 0 and <= 4096 && path[0] == '/' && !path.Contains('\0', StringComparison.Ordinal) && !path.Split('/').Contains("..");

    private static void CheckEnvironment(IReadOnlyDictionary<string, string>? env)
    {
        var total = 0;
        foreach (var (key, value) in env ?? new Dictionary<string, string>())
        {
            if (key.Length == 0 || key.AsSpan().IndexOfAny('=', '\0') >= 0 || value is null || value.Contains('\0', StringComparison.Ordinal))
            {
                throw Bad($"the environment variable {NameRules.Quote(key)} is malformed", "Names are not empty and hold no '='; nothing holds a NUL.", "bad_env");
            }

            total += key.Length + value.Length;
        }

        if (total > MaxEnvironmentBytes)
        {
            throw Bad($"an environment of {total} characters is too large", "Use at most 256 KiB.", "bad_env");
        }
    }

    private static void CheckSecrets(CreateParams p)
    {
        if (p.Secrets is { Count: > MaxSecrets })
        {
            throw Bad($"{p.Secrets.Count} secrets are too many", $"Use at most {MaxSecrets}.", "bad_secret");
        }

        foreach (var secret in p.Secrets ?? [])
        {
            if (secret.Name.Length is 0 or > 255 || secret.Name is "." or ".." || secret.Name.AsSpan().IndexOfAny('/', '\0') >= 0)
            {
                throw Bad($"the secret name {NameRules.Quote(secret.Name)} is not a simple file name", "Use a name without '/'.", "bad_secret");
            }
        }
    }

    private static void CheckText(string what, string? text)
    {
        if (text is not null && (text.Length is 0 or > 256 || text.Any(char.IsControl)))
        {
            throw Bad($"the {what} {NameRules.Quote(text)} is malformed", "Give 1 to 256 printable characters.", "bad_" + what);
        }
    }

    private static VivariumException Bad(string what, string hint, string reason) => new(ErrorCode.InvalidArgument, "creating a sandbox: " + what, hint, reason);
}
