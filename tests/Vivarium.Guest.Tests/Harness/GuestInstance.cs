using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.IO;
using Vivarium.Linux.Processes;
using Vivarium.Transport;
using Vivarium.Transport.Yamux;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests.Harness;

/// <summary>A running agent and the host's end of its connection. Ends with the test, leaving nothing.</summary>
internal sealed class GuestInstance : IAsyncDisposable
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly ChildProcess _child;
    private readonly Task<string> _console;

    private GuestInstance(ChildProcess child, YamuxSession session, Task<string> console, string token)
    {
        _child = child;
        Session = session;
        _console = console;
        Token = token;
    }

    public YamuxSession Session { get; }

    public string Token { get; }

    public int Pid => _child.Pid;

    public Task<ChildExit> Exited => _child.Exited;

    /// <summary>Starts it as a plain child, the way the direct runtime does.</summary>
    public static async Task<GuestInstance> StartDirectAsync(bool hello = true, ConfigurePayload? configure = null)
    {
        var program = await GuestProgram.PathAsync();
        return await StartAsync(program, [program, "init"], token => [$"VIV_TOKEN={token}"], hello, configure);
    }

    /// <summary>Starts an engine (or the agent itself) with the connection on its standard input and output.</summary>
    public static async Task<GuestInstance> StartAsync(
        string file, IReadOnlyList<string> argv, Func<string, IReadOnlyList<string>> environment, bool hello = true, ConfigurePayload? configure = null, string? token = null)
    {
        token ??= RandomNumberGenerator.GetHexString(32, lowercase: true);
        var (toGuestRead, toGuestWrite) = Pipe.Create();
        var (fromGuestRead, fromGuestWrite) = Pipe.Create();
        var (consoleRead, consoleWrite) = Pipe.Create();
        var child = ChildProcess.Start(new SpawnOptions
        {
            FileName = file,
            Argv = argv,
            Env = environment(token),
            Fds = [new(Fd(toGuestRead), 0), new(Fd(fromGuestWrite), 1), new(Fd(consoleWrite), 2)],
            NewSession = true,
        });
        toGuestRead.Dispose();
        fromGuestWrite.Dispose();
        consoleWrite.Dispose();
        var session = new YamuxSession(fromGuestRead, toGuestWrite, YamuxRole.Client);
        var guest = new GuestInstance(child, session, ReadConsoleAsync(consoleRead), token);
        if (hello)
        {
            var answer = await guest.AskAsync(ControlLine.Hello(token));
            Assert.True(answer.Contains("\"type\":\"hello\"", StringComparison.Ordinal), answer);
            answer = await guest.AskAsync(ControlLine.Of(ControlType.Configure, configure ?? new ConfigurePayload(), GuestJson.Default.ConfigurePayload));
            Assert.True(answer.Contains("\"ok\":true", StringComparison.Ordinal), answer);
        }

        return guest;
    }

    /// <summary>Opens a stream to a port.</summary>
    public ValueTask<DuplexStream> ConnectAsync(int port) => Session.OpenAsync(port);

    /// <summary>One control request on a connection of its own; the answer line.</summary>
    public async Task<string> AskAsync(string line)
    {
        await using var control = await ControlConnection.OpenAsync(this);
        return await control.AskAsync(line);
    }

    /// <summary>What the agent wrote to its console; to be read after the end.</summary>
    public Task<string> ConsoleAsync() => _console.WaitAsync(Deadline);

    public async ValueTask DisposeAsync()
    {
        await Session.DisposeAsync();
        try
        {
            await _child.Exited.WaitAsync(Deadline);
        }
        catch (TimeoutException)
        {
            _child.Signal(Signals.SIGKILL);
            throw;
        }
    }

    private static int Fd(SafeFileHandle handle) => (int)handle.DangerousGetHandle();

    private static async Task<string> ReadConsoleAsync(SafeFileHandle console)
    {
        await using var stream = PollableFd.Take(console);
        using var text = new MemoryStream();
        await stream.CopyToAsync(text);
        return Encoding.UTF8.GetString(text.ToArray());
    }
}
