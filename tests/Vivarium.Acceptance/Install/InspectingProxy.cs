using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Vivarium.Acceptance.Trust;
using Vivarium.Linux.Namespaces;

namespace Vivarium.Acceptance.Install;

/// <summary>
/// What companies put between their machines and the internet: it takes every connection, whoever it is for. TLS it ends with a certificate of its own authority for the name asked
/// for and begins anew to the real server, which it checks by what this machine trusts; plain HTTP it passes on.
/// </summary>
internal sealed class InspectingProxy : IDisposable
{
    private const int MostHead = 16 * 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly PrivateAuthority authority = new("Vivarium test inspection");
    private readonly ConcurrentDictionary<string, Lazy<X509Certificate2>> certificates = new(StringComparer.Ordinal);
    private readonly List<Socket> listeners = [];

    /// <summary>The certificate of its authority.</summary>
    public string Pem => authority.Pem;

    /// <summary>What it has seen inside of TLS: the first line of the first request of each connection, with the host.</summary>
    public ConcurrentQueue<string> Seen { get; } = new();

    /// <summary>Takes what comes to ports 80 and 443 of an address in a network namespace.</summary>
    public void Listen(string path, string address)
    {
        foreach (var (port, serve) in new (int, Func<Stream, Task>)[] { (80, PlainAsync), (443, EncryptedAsync) })
        {
            var listener = NamespaceThread.In(path, NamespaceKinds.Network, () =>
            {
                var made = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                made.Bind(new IPEndPoint(IPAddress.Parse(address), port));
                made.Listen(128);
                return made;
            });
            listeners.Add(listener);
            _ = Task.Run(() => AcceptAsync(listener, serve));
        }
    }

    public void Dispose()
    {
        listeners.ForEach(static l => l.Dispose());
        authority.Dispose();
    }

    private static async Task AcceptAsync(Socket listener, Func<Stream, Task> serve)
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await listener.AcceptAsync(), serve);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static async Task ServeAsync(Socket client, Func<Stream, Task> serve)
    {
        try
        {
            await using var stream = new NetworkStream(client, ownsSocket: true);
            await serve(stream);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or System.Security.Authentication.AuthenticationException or OperationCanceledException)
        {
            // A client that does not trust us, or either side has gone: as at any proxy.
        }
    }

    private async Task EncryptedAsync(Stream stream)
    {
        await using var client = new SslStream(stream);
        var name = "";
        await client.AuthenticateAsServerAsync(
            (_, hello, _, _) =>
            {
                name = hello.ServerName;
                return ValueTask.FromResult(new SslServerAuthenticationOptions { ServerCertificate = CertificateOf(name) });
            },
            null);
        var (head, _) = await HeadAsync(client);
        Seen.Enqueue($"{name} {Encoding.Latin1.GetString(head.Span).Split("\r\n")[0]}");
        using var server = await ConnectAsync(name, 443);
        await using var encrypted = new SslStream(new NetworkStream(server, ownsSocket: false));
        await encrypted.AuthenticateAsClientAsync(name);
        await JoinAsync(client, encrypted, head);
    }

    private static async Task PlainAsync(Stream client)
    {
        var (head, host) = await HeadAsync(client);
        using var server = await ConnectAsync(host, 80);
        await using var stream = new NetworkStream(server, ownsSocket: false);
        await JoinAsync(client, stream, head);
    }

    private static async Task<(ReadOnlyMemory<byte> Head, string Host)> HeadAsync(Stream client)
    {
        using var patience = new CancellationTokenSource(Patience);
        var buffer = new byte[MostHead];
        for (var length = 0; length < buffer.Length;)
        {
            var got = await client.ReadAsync(buffer.AsMemory(length), patience.Token);
            length += got;
            var text = Encoding.Latin1.GetString(buffer, 0, length);
            if (text.Contains("\r\n\r\n", StringComparison.Ordinal))
            {
                var host = text.Split("\r\n").FirstOrDefault(static l => l.StartsWith("Host:", StringComparison.OrdinalIgnoreCase))?[5..].Trim() ?? "";
                return (buffer.AsMemory(0, length), host);
            }

            if (got == 0)
            {
                break;
            }
        }

        throw new IOException("no request came");
    }

    private static async Task<Socket> ConnectAsync(string host, int port)
    {
        using var patience = new CancellationTokenSource(Patience);
        var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await server.ConnectAsync(host.Split(':')[0], port, patience.Token);
        return server;
    }

    private static async Task JoinAsync(Stream client, Stream server, ReadOnlyMemory<byte> first)
    {
        await server.WriteAsync(first);
        await server.FlushAsync();
        await Task.WhenAny(client.CopyToAsync(server), server.CopyToAsync(client));
    }

    private X509Certificate2 CertificateOf(string name) => certificates.GetOrAdd(name, n => new Lazy<X509Certificate2>(() =>
    {
        var pem = authority.IssueServer(n);
        return X509Certificate2.CreateFromPem(pem, pem);
    })).Value;
}
