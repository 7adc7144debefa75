using System.Text.Json.Serialization;

namespace Vivarium.Runtimes.Oci;

/// <summary>The part of an OCI bundle's <c>config.json</c> we write. Source: OCI runtime specification 1.0.2, config.md and config-linux.md.</summary>
internal sealed record OciConfig
{
    public string OciVersion { get; init; } = "1.0.2";
    public required OciProcess Process { get; init; }
    public required OciRoot Root { get; init; }
    public required string Hostname { get; init; }
    public required IReadOnlyList<OciMount> Mounts { get; init; }
    public required OciLinux Linux { get; init; }
}

internal sealed record OciRoot(string Path, bool Readonly);

internal sealed record OciProcess
{
    public bool Terminal { get; init; }
    public OciUser User { get; init; } = new(0, 0);
    public required IReadOnlyList<string> Args { get; init; }
    public required IReadOnlyList<string> Env { get; init; }
    public string Cwd { get; init; } = "/";
    public required OciCapabilities Capabilities { get; init; }
    public required IReadOnlyList<OciRlimit> Rlimits { get; init; }
    public bool NoNewPrivileges { get; init; } = true;
    public int? OomScoreAdj { get; init; }
}

internal sealed record OciUser(uint Uid, uint Gid);

internal sealed record OciCapabilities(IReadOnlyList<string> Bounding, IReadOnlyList<string> Effective, IReadOnlyList<string> Permitted);

internal sealed record OciRlimit(string Type, ulong Hard, ulong Soft);

internal sealed record OciMount(string Destination, string Type, string Source, IReadOnlyList<string> Options);

internal sealed record OciLinux
{
    public required string CgroupsPath { get; init; }
    public required OciResources Resources { get; init; }
    public required IReadOnlyList<OciNamespace> Namespaces { get; init; }
    public IReadOnlyList<OciIdMapping>? UidMappings { get; init; }
    public IReadOnlyList<OciIdMapping>? GidMappings { get; init; }
    public OciSeccomp? Seccomp { get; init; }
    public required IReadOnlyList<string> MaskedPaths { get; init; }
    public required IReadOnlyList<string> ReadonlyPaths { get; init; }
}

internal sealed record OciNamespace(string Type, string? Path = null);

internal sealed record OciIdMapping([property: JsonPropertyName("containerID")] uint ContainerId, [property: JsonPropertyName("hostID")] uint HostId, uint Size);

internal sealed record OciResources
{
    public required IReadOnlyList<OciDeviceRule> Devices { get; init; }
    public required OciCpu Cpu { get; init; }
    public required OciMemory Memory { get; init; }
    public required OciPids Pids { get; init; }
}

internal sealed record OciDeviceRule(bool Allow, string Access);

internal sealed record OciCpu(long Quota, ulong Period, ulong Shares);

internal sealed record OciMemory(long Limit, long? Swap);

internal sealed record OciPids(long Limit);

internal sealed record OciSeccomp
{
    public required string DefaultAction { get; init; }
    public required uint DefaultErrnoRet { get; init; }
    public required IReadOnlyList<string> Architectures { get; init; }
    public required IReadOnlyList<OciSyscallRule> Syscalls { get; init; }
}

internal sealed record OciSyscallRule
{
    public required IReadOnlyList<string> Names { get; init; }
    public required string Action { get; init; }
    public uint? ErrnoRet { get; init; }
    public IReadOnlyList<OciSyscallArgument>? Args { get; init; }
}

internal sealed record OciSyscallArgument(uint Index, ulong Value, string Op, ulong? ValueTwo = null);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    GenerationMode = JsonSourceGenerationMode.Serialization)]
[JsonSerializable(typeof(OciConfig))]
internal sealed partial class OciJson : JsonSerializerContext;
