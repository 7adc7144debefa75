using System.Text.Json;
using Vivarium.Host.Tests.Support;
using Vivarium.Transport.Host;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Tools;

/// <summary>Short ways to call tools.</summary>
internal static class ToolCallsHere
{
    public static ToolParams Call(string sandbox, string tool, string arguments, string? id = null) =>
        new() { Ref = sandbox, Name = tool, Arguments = JsonDocument.Parse(arguments).RootElement.Clone(), CallId = id };

    public static Task<ToolReply> ToolAsync(this HostClient client, string sandbox, string tool, string arguments, string? id = null) =>
        client.CallToolAsync(Call(sandbox, tool, arguments, id), CancellationToken.None);

    public static Task<ToolReply> BashAsync(this HostClient client, string sandbox, string command, string? id = null) =>
        client.ToolAsync(sandbox, "bash", $$"""{"command": {{JsonSerializer.Serialize(command)}}}""", id);

    public static async Task<ToolReply> ToolAsync(this TestDaemon daemon, string sandbox, string tool, string arguments, string? id = null)
    {
        await using var client = await daemon.ConnectAsync();
        return await client.ToolAsync(sandbox, tool, arguments, id);
    }
}
