using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Runtimes.Cgroups;
using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor;

/// <summary>
/// Loads what every start needs and the first use of which is slow: descriptions of JSON types, the socket classes, the list of cgroup hierarchies. Nothing of it has
/// an effect; leaving it out costs the same time later.
/// </summary>
internal static class Rehearsal
{
    public static void Run()
    {
        _ = CgroupHierarchies.Current;
        Read(SupervisorFiles.StrictSpec, Example);
        ReadAndWrite(SupervisorJson.Default.SupervisorStatus, new SupervisorStatus { Phase = SupervisorPhase.Preparing });
        ReadAndWrite(JsonTypes.Tolerant(GuestJson.Default.ControlEnvelope), new ControlEnvelope { Type = "" });
        ReadAndWrite(JsonTypes.Tolerant(GuestJson.Default.HelloPayload), new HelloPayload { Protocol = 1, Version = "", Token = "" });
        ReadAndWrite(JsonTypes.Tolerant(GuestJson.Default.AckPayload), new AckPayload { ReplyTo = "", Ok = true });
        ReadAndWrite(SupervisorJson.Default.ConnectLine, new ConnectLine { Connect = 1 });
        _ = JsonSerializer.SerializeToUtf8Bytes(new ConnectReply { Ok = true }, SupervisorJson.Default.ConnectReply);
        _ = JsonSerializer.SerializeToElement(new ConfigurePayload(), GuestJson.Default.ConfigurePayload);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _ = new UnixDomainSocketEndPoint("/x");
    }

    private static SupervisorSpec Example => new()
    {
        Protocol = SupervisorMethod.Protocol,
        SandboxId = "",
        Name = "",
        Runtime = "container",
        Engine = "",
        EnginePath = "",
        GuestAgentPath = "",
        RootPath = "/",
        LogDirectory = "/",
        Resources = new ResourceSpec { Cpus = 1, MemoryBytes = 1, Pids = 1 },
        Network = new NetworkSpec { Mode = "none" },
        IdRange = new IdRange { First = 1, Count = 1 },
        CgroupPath = "/x",
    };

    private static void ReadAndWrite<T>(JsonTypeInfo<T> type, T example) => Read(type, example);

    private static void Read<T>(JsonTypeInfo<T> type, T example) => _ = JsonSerializer.Deserialize(JsonSerializer.SerializeToUtf8Bytes(example, type), type);
}
