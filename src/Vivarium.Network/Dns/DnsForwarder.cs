using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Vivarium.Network.Dns;

/// <summary>
/// The sandboxes' name server: on the gateway's addresses, UDP and TCP. Names of the own domain are answered here, everything else is asked of the host's name servers, each question
/// over a socket and a number of its own. Questions are hostile: one at a time is read per TCP connection, and the work per sandbox and in all is bounded; what is over is dropped, and
/// the asker asks again.
/// </summary>
internal sealed class DnsForwarder : IAsyncDisposable
{
    private const int MostAtOnce = 512;
    private const int MostPerAsker = 64;
    private const int MostConnections = 256;
    private const int MostConnectionsPerAsker = 32;
    private const int MostBytes = 65_535;
    private const int MostAnswerBytes = 8192; // more than any resolver asks for over UDP
    private const int TtlSeconds = 5;
    private static readonly TimeSpan ServerTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(10);

    private readonly IDnsDirectory directory;
    private readonly NameServers servers;
    private readonly IPAddress? askFrom;
    private readonly string suffix;
    private readonly CancellationTokenSource stopping = new();
    private readonly Dictionary<IPAddress, int> working = [];
    private readonly List<Socket> sockets = [];
    private readonly List<Task> loops = [];
    private readonly Dictionary<IPAddress, int> connected = [];
    private int atOnce;

    /// <summary>Starts on these addresses.</summary>
    /// <param name="addresses">The gateway's; port 53 of each must be free.</param>
    /// <param name="port">53, another in tests, 0 for any.</param>
    /// <param name="domain">The sandboxes' domain.</param>
    /// <param name="directory">Who asks, and what the own names mean.</param>
    /// <param name="servers">Whom to ask.</param>
    /// <param name="askFrom">Address questions are sent from, so that they take the sandboxes' way out; null: the host's choice.</param>
    /// <exception cref="SocketException">A port is taken.</exception>
    public DnsForwarder(IReadOnlyList<IPAddress> addresses, int port, string domain, IDnsDirectory directory, NameServers servers, IPAddress? askFrom)
    {
        this.directory = directory;
        this.servers = servers;
        this.askFrom = askFrom;
        suffix = "." + domain;
        try
        {
            foreach (var address in addresses)
            {
                var udp = Open(address, SocketType.Dgram, ProtocolType.Udp);
                udp.Bind(new IPEndPoint(address, port));
                port = ((IPEndPoint)udp.LocalEndPoint!).Port;
                var tcp = Open(address, SocketType.Stream, ProtocolType.Tcp);
                tcp.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
                tcp.Bind(new IPEndPoint(address, port));
                tcp.Listen(64);
            }
        }
        catch
        {
            sockets.ForEach(static s => s.Dispose());
            throw;
        }

        Port = port;
        foreach (var socket in sockets)
        {
            loops.Add(Task.Run(() => socket.SocketType == SocketType.Dgram ? ServeUdpAsync(socket) : ServeTcpAsync(socket)));
        }
    }

    /// <summary>The port in use.</summary>
    public int Port { get; }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        sockets.ForEach(static s => s.Dispose());
        await Task.WhenAll(loops).ConfigureAwait(false);
        stopping.Dispose();
    }

    private Socket Open(IPAddress address, SocketType type, ProtocolType protocol)
    {
        var socket = new Socket(address.AddressFamily, type, protocol);
        sockets.Add(socket);
        return socket;
    }

    private async Task ServeUdpAsync(Socket socket)
    {
        var buffer = GC.AllocateUninitializedArray<byte>(MostBytes, pinned: true);
        var anyone = new IPEndPoint(socket.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var got = await socket.ReceiveFromAsync(buffer, SocketFlags.None, anyone, stopping.Token).ConfigureAwait(false);
                var asker = (IPEndPoint)got.RemoteEndPoint;
                if (Enter(asker.Address))
                {
                    _ = AnswerUdpAsync(socket, asker, buffer.AsSpan(0, got.ReceivedBytes).ToArray());
                }
            }
            catch (SocketException)
            {
                // An asker's closed port comes back here; the next question is unaffected.
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task AnswerUdpAsync(Socket socket, IPEndPoint asker, byte[] query)
    {
        try
        {
            if (await ResolveAsync(asker.Address, query, tcp: false).ConfigureAwait(false) is { } answer)
            {
                await socket.SendToAsync(answer, SocketFlags.None, asker, stopping.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The asker, or we, are gone.
        }
        finally
        {
            Leave(asker.Address);
        }
    }

    private async Task ServeTcpAsync(Socket listener)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var client = await listener.AcceptAsync(stopping.Token).ConfigureAwait(false);
                if (client.RemoteEndPoint is IPEndPoint { Address: var asker } && EnterConnection(asker))
                {
                    _ = ServeClientAsync(client, asker);
                }
                else
                {
                    client.Dispose();
                }
            }
            catch (SocketException)
            {
                // One that went away before it was accepted.
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeClientAsync(Socket client, IPAddress asker)
    {
        try
        {
            using var open = client;
            while (await ReadFramedAsync(client, IdleTime).ConfigureAwait(false) is { } query && Enter(asker))
            {
                byte[]? answer;
                try
                {
                    answer = await ResolveAsync(asker, query, tcp: true).ConfigureAwait(false);
                }
                finally
                {
                    Leave(asker);
                }

                if (answer is null)
                {
                    return;
                }

                using var patience = Patience(IdleTime);
                await SendFramedAsync(client, answer, patience.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The asker, or we, are gone; or it was silent for too long.
        }
        finally
        {
            LeaveConnection(asker);
        }
    }

    /// <summary>The answer to one question; null: none is given.</summary>
    private async Task<byte[]?> ResolveAsync(IPAddress asker, byte[] query, bool tcp)
    {
        if (DnsQuestion.Parse(query) is not { } question)
        {
            return null;
        }

        var (known, outside) = directory.Asker(asker);
        if (!known)
        {
            return question.Answer(query, DnsQuestion.Refused, [], 0);
        }

        if (question.Name == suffix[1..] || question.Name.EndsWith(suffix, StringComparison.Ordinal))
        {
            return Own(asker, query, question);
        }

        // Not REFUSED: resolvers take that as a broken server and keep on trying.
        return outside ? await AskAsync(query, question, tcp).ConfigureAwait(false) : question.Answer(query, DnsQuestion.NameError, [], 0);
    }

    private byte[] Own(IPAddress asker, byte[] query, DnsQuestion question)
    {
        var name = question.Name.Length > suffix.Length ? question.Name[..^suffix.Length] : "";
        if (directory.Lookup(asker, name) is not { } addresses)
        {
            return question.Answer(query, DnsQuestion.NameError, [], 0);
        }

        var wanted = question.Type switch
        {
            DnsQuestion.A => addresses.Where(static a => a.AddressFamily == AddressFamily.InterNetwork),
            DnsQuestion.Aaaa => addresses.Where(static a => a.AddressFamily == AddressFamily.InterNetworkV6),
            DnsQuestion.Any => addresses,
            _ => [],
        };
        return question.Answer(query, DnsQuestion.NoError, question.Class == 1 ? [.. wanted] : [], TtlSeconds);
    }

    private async Task<byte[]> AskAsync(byte[] query, DnsQuestion question, bool tcp)
    {
        foreach (var server in servers.Now())
        {
            var id = (ushort)RandomNumberGenerator.GetInt32(0x10000);
            var asked = (byte[])query.Clone();
            BinaryPrimitives.WriteUInt16BigEndian(asked, id);
            try
            {
                var answer = tcp ? await AskTcpAsync(server, asked).ConfigureAwait(false) : await AskUdpAsync(server, asked, question, id).ConfigureAwait(false);
                if (answer is not null && question.IsAnsweredBy(answer, id))
                {
                    BinaryPrimitives.WriteUInt16BigEndian(answer, question.Id);
                    return answer;
                }
            }
            catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !stopping.IsCancellationRequested))
            {
                // The next one.
            }
        }

        return question.Answer(query, DnsQuestion.ServerFailure, [], 0);
    }

    private async Task<byte[]?> AskUdpAsync(IPEndPoint server, byte[] query, DnsQuestion question, ushort id)
    {
        using var patience = Patience(ServerTime);
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        BindTo(socket, server);
        await socket.ConnectAsync(server, patience.Token).ConfigureAwait(false);
        await socket.SendAsync(query, SocketFlags.None, patience.Token).ConfigureAwait(false);
        var buffer = new byte[MostAnswerBytes];
        while (true)
        {
            // A wrong answer is a forged or a late one: the right one may still come.
            var got = await socket.ReceiveAsync(buffer, SocketFlags.None, patience.Token).ConfigureAwait(false);
            if (question.IsAnsweredBy(buffer.AsSpan(0, got), id))
            {
                return buffer[..got];
            }
        }
    }

    private async Task<byte[]?> AskTcpAsync(IPEndPoint server, byte[] query)
    {
        using var patience = Patience(ServerTime);
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        BindTo(socket, server);
        await socket.ConnectAsync(server, patience.Token).ConfigureAwait(false);
        await SendFramedAsync(socket, query, patience.Token).ConfigureAwait(false);
        return await ReadFramedAsync(socket, ServerTime).ConfigureAwait(false);
    }

    private void BindTo(Socket socket, IPEndPoint server)
    {
        if (askFrom is not null && askFrom.AddressFamily == server.AddressFamily)
        {
            socket.Bind(new IPEndPoint(askFrom, 0));
        }
    }

    private static async Task SendFramedAsync(Socket socket, byte[] message, CancellationToken cancellationToken)
    {
        var framed = new byte[message.Length + 2];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)message.Length);
        message.CopyTo(framed, 2);
        for (var sent = 0; sent < framed.Length;)
        {
            sent += await socket.SendAsync(framed.AsMemory(sent), SocketFlags.None, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>One message with its length before it; null at the end or when it is too short to be one.</summary>
    private async Task<byte[]?> ReadFramedAsync(Socket socket, TimeSpan time)
    {
        using var patience = Patience(time);
        var length = new byte[2];
        if (!await FillAsync(socket, length, patience.Token).ConfigureAwait(false) || BinaryPrimitives.ReadUInt16BigEndian(length) is not (>= DnsQuestion.HeaderLength and var size))
        {
            return null;
        }

        var message = new byte[size];
        return await FillAsync(socket, message, patience.Token).ConfigureAwait(false) ? message : null;
    }

    private static async Task<bool> FillAsync(Socket socket, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (buffer.Length > 0)
        {
            var got = await socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken).ConfigureAwait(false);
            if (got == 0)
            {
                return false;
            }

            buffer = buffer[got..];
        }

        return true;
    }

    private CancellationTokenSource Patience(TimeSpan time)
    {
        var patience = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
        patience.CancelAfter(time);
        return patience;
    }

    private bool EnterConnection(IPAddress asker)
    {
        lock (connected)
        {
            var own = connected.GetValueOrDefault(asker);
            if (own >= MostConnectionsPerAsker || connected.Values.Sum() >= MostConnections)
            {
                return false;
            }

            connected[asker] = own + 1;
            return true;
        }
    }

    private void LeaveConnection(IPAddress asker)
    {
        lock (connected)
        {
            if (--connected[asker] == 0)
            {
                connected.Remove(asker);
            }
        }
    }

    private bool Enter(IPAddress asker)
    {
        lock (working)
        {
            var own = working.GetValueOrDefault(asker);
            if (atOnce >= MostAtOnce || own >= MostPerAsker)
            {
                return false;
            }

            atOnce++;
            working[asker] = own + 1;
            return true;
        }
    }

    private void Leave(IPAddress asker)
    {
        lock (working)
        {
            atOnce--;
            if (--working[asker] == 0)
            {
                working.Remove(asker);
            }
        }
    }
}
