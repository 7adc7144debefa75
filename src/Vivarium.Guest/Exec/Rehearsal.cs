using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Exec;

/// <summary>
/// Loads what the first command needs and the first use of which is slow: the descriptions of its messages. Run when the host has been told that the agent is configured,
/// so it costs nobody time: the host has things to write down before it lets anybody in.
/// </summary>
internal static class Rehearsal
{
    /// <summary>Has no effect but on the time later commands take.</summary>
    public static void Run()
    {
        ReadAndWrite(GuestJson.Default.ExecRequest, new ExecRequest { Argv = ["true"], Env = new Dictionary<string, string>() });
        ReadAndWrite(GuestJson.Default.ExecReply, new ExecReply { Pid = 1 });
        ReadAndWrite(GuestJson.Default.ExecControl, new ExecControl { Type = "exit", Code = 0 });
    }

    private static void ReadAndWrite<T>(JsonTypeInfo<T> type, T example) => _ = JsonSerializer.Deserialize(JsonSerializer.SerializeToUtf8Bytes(example, type), type);
}
