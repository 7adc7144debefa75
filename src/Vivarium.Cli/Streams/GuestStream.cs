using System.Text.Json;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Cli.Streams;

/// <summary>Opens a guest port: a ticket from the daemon, then the supervisor's socket directly, so that no byte takes a detour and the stream survives the daemon.</summary>
internal static class GuestStream
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(20);

    public static UnixConnection Open(HostConnection host, string reference, int port)
    {
        var ticket = host.Call(HostMethod.Ticket, new SandboxTicketParams { Ref = reference, Port = port }, HostJson.Default.SandboxTicketParams, HostJson.Default.SandboxTicket);
        var stream = UnixConnection.TryConnect(ticket.Socket)
            ?? throw new VivariumException(ErrorCode.Unavailable, $"the supervisor of sandbox {reference} does not answer", $"look at 'viv show {reference}'", "supervisor_gone");
        try
        {
            SendLine(stream, new ConnectLine { Connect = port, Ticket = ticket.Ticket }, SupervisorJson.Default.ConnectLine);
            var reply = ReadLine(stream, SupervisorJson.Default.ConnectReply, new ConnectionWait(ConnectTimeout));
            return reply.Ok ? stream : throw (reply.Error is { } error ? VivariumException.From(error) : UnixConnection.Gone());
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    public static void SendLine<T>(UnixConnection stream, T value, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(value, type);
        var line = new byte[json.Length + 1];
        json.CopyTo(line, 0);
        line[^1] = (byte)'\n';
        stream.Send(line);
    }

    public static T ReadLine<T>(UnixConnection stream, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, ConnectionWait wait)
    {
        var line = stream.ReadLine(wait) ?? throw UnixConnection.Gone();
        try
        {
            return JsonSerializer.Deserialize(line.Span, type) ?? throw UnixConnection.Gone();
        }
        catch (JsonException e)
        {
            throw new VivariumException(ErrorCode.Internal, "the sandbox sent a line that is not the JSON expected", inner: e);
        }
    }
}
