using System.Net.Sockets;
using System.Text.Json;

namespace Vivarium.Cli.Tests;

/// <summary>
/// The daemon's socket and one supervisor's socket, scripted: a method answers with the JSON given, a stream is handed to a script. Everything asked
/// is kept in <see cref="Asked"/> as <c>method params</c>.
/// </summary>
internal sealed class FakeDaemon : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly Socket _daemon = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Socket _supervisor = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Dictionary<string, Func<JsonElement, string>> _answers = [];
    private readonly Dictionary<string, string> _notifications = [];
    private readonly List<string> _asked = [];

    public FakeDaemon()
    {
        ConfigFile = _directory.Write("config.toml", $"[paths]\nruntime = \"{_directory.Path}\"\nstate = \"{_directory.Path}\"\n");
        _daemon.Bind(new UnixDomainSocketEndPoint(_directory["vivd.sock"]));
        _daemon.Listen();
        _supervisor.Bind(new UnixDomainSocketEndPoint(_directory["sup.sock"]));
        _supervisor.Listen();
        Answer("sandbox.ticket", $$"""{"sandbox_id":"k3j","socket":"{{_directory["sup.sock"]}}","ticket":"t1"}""");
        _ = AcceptAsync(_daemon, ServeCalls);
        _ = AcceptAsync(_supervisor, ServeStream);
    }

    public string ConfigFile { get; }

    public string Directory => _directory.Path;

    /// <summary>What happens on a stream after <c>{"ok":true}</c>.</summary>
    public Action<FakeStream>? Stream { get; set; }

    public IReadOnlyList<string> Asked
    {
        get
        {
            lock (_asked)
            {
                return [.. _asked];
            }
        }
    }

    /// <summary>A notification sent before each answer to the method.</summary>
    public FakeDaemon Notify(string method, string notification)
    {
        _notifications[method] = notification;
        return this;
    }

    public FakeDaemon Answer(string method, string result) => Answer(method, _ => $"\"result\":{result}");

    public FakeDaemon Refuse(string method, string error) => Answer(method, _ => $"\"error\":{{\"code\":-32001,\"message\":\"m\",\"data\":{error}}}");

    public FakeDaemon Answer(string method, Func<JsonElement, string> answer)
    {
        _answers[method] = answer;
        return this;
    }

    public void Dispose()
    {
        _daemon.Dispose();
        _supervisor.Dispose();
        _directory.Dispose();
    }

    private static async Task AcceptAsync(Socket listener, Action<Socket> serve)
    {
        try
        {
            for (; ; )
            {
                var peer = await listener.AcceptAsync();
                new Thread(() => Serve(peer, serve)) { IsBackground = true }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static void Serve(Socket peer, Action<Socket> serve)
    {
        using (peer)
        {
            try
            {
                serve(peer);
            }
            catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
            {
                // The client has left.
            }
        }
    }

    private void ServeCalls(Socket peer)
    {
        var stream = new FakeStream(peer);
        while (stream.ReadLine() is { } line)
        {
            using var message = JsonDocument.Parse(line);
            var method = message.RootElement.GetProperty("method").GetString()!;
            var parameters = message.RootElement.GetProperty("params");
            lock (_asked)
            {
                _asked.Add($"{method} {parameters.GetRawText()}");
            }

            if (_notifications.TryGetValue(method, out var notification))
            {
                stream.Write(notification + "\n");
            }

            var answer = _answers.TryGetValue(method, out var make) ? make(parameters) : "\"error\":{\"code\":-32601,\"message\":\"no such method\"}";
            stream.Write($$"""{"jsonrpc":"2.0","id":{{message.RootElement.GetProperty("id").GetInt64()}},{{answer}}}""" + "\n");
        }
    }

    private void ServeStream(Socket peer)
    {
        var stream = new FakeStream(peer);
        lock (_asked)
        {
            _asked.Add("connect " + stream.ReadLine());
        }

        stream.Write("{\"ok\":true}\n");
        Stream?.Invoke(stream);
    }
}
