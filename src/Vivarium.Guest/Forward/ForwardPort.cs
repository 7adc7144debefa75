using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Vivarium.Guest.Ports;
using Vivarium.Transport;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Forward;

/// <summary>Port 1028: the first line names an address in the sandbox, then raw bytes go both ways, each direction ending by itself.</summary>
internal sealed class ForwardPort : IPortHandler
{
    private const int MaxRequestBytes = 8 * 1024;
    private static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(10);

    public int Port => GuestPort.Forward;

    public int MaxConnections => 2048;

    public async Task ServeAsync(DuplexStream stream, CancellationToken cancellationToken)
    {
        using var reader = new ConnectionReader(stream);
        if (await reader.ReadLineAsync(MaxRequestBytes, cancellationToken) is not { } line)
        {
            return;
        }

        Socket socket;
        try
        {
            socket = await ReachAsync(Parse(line), cancellationToken);
        }
        catch (VivariumException e)
        {
            await stream.WriteAsync(JsonLines.ToLine(new FileReply { Error = e.ToInfo() }, GuestJson.Default.FileReply), cancellationToken);
            await stream.CompleteWritesAsync(cancellationToken);
            return;
        }

        using (socket)
        {
            await stream.WriteAsync("{}\n"u8.ToArray(), cancellationToken);
            await Splice.RunAsync(stream, reader, socket, cancellationToken);
        }
    }

    private static ForwardRequest Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            return JsonSerializer.Deserialize(line.Span, GuestJson.Default.ForwardRequest) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"the forward request is malformed: {e.Message}", reason: "bad_request");
        }
    }

    /// <summary>Without an address the service may listen on either loopback: names such as localhost mean both.</summary>
    private static async Task<Socket> ReachAsync(ForwardRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return await ConnectAsync(request, cancellationToken);
        }
        catch (VivariumException e) when (e.Reason == "not_listening" && request is { Address: null or "" or "localhost", Unix: null or "" })
        {
            if (await TryAsync(request with { Address = "::1" }, cancellationToken) is { } other)
            {
                return other;
            }

            throw; // the address people expect is the one to speak of
        }
    }

    private static async Task<Socket?> TryAsync(ForwardRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return await ConnectAsync(request, cancellationToken);
        }
        catch (VivariumException)
        {
            return null;
        }
    }

    private static async Task<Socket> ConnectAsync(ForwardRequest request, CancellationToken cancellationToken)
    {
        var (endpoint, name) = Endpoint(request);
        var socket = endpoint is IPEndPoint ip
            ? new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
            : new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(ConnectTime);
        try
        {
            await socket.ConnectAsync(endpoint, deadline.Token);
            return socket;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            socket.Dispose();
            var why = e is SocketException { SocketErrorCode: SocketError.ConnectionRefused } ? "nobody listens there" : e is SocketException s ? s.SocketErrorCode.ToString() : "no answer within 10 s";
            throw new VivariumException(ErrorCode.Unavailable, $"connect to {name} in the sandbox: {why}", "Start the service in the sandbox first.", reason: "not_listening", inner: e);
        }
    }

    private static (EndPoint EndPoint, string Name) Endpoint(ForwardRequest request)
    {
        if (request.Unix is { Length: > 0 } path)
        {
            return path.Length <= 107 && path.StartsWith('/') && !path.Contains('\0', StringComparison.Ordinal)
                ? (new UnixDomainSocketEndPoint(path), path)
                : throw new VivariumException(ErrorCode.InvalidArgument, "the socket's path must be absolute and at most 107 bytes long", reason: "bad_address");
        }

        var text = request.Address is null or "" or "localhost" ? "127.0.0.1" : request.Address;
        if (request.Port is < 1 or > 65535 || !IPAddress.TryParse(text, out var address))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"'{text}' port {request.Port} is no address in the sandbox; give an IP address and a port", reason: "bad_address");
        }

        return (new IPEndPoint(address, request.Port), $"{text}:{request.Port}");
    }
}
