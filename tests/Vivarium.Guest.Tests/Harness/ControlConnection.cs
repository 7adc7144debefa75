using System.Text;
using Vivarium.Transport;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests.Harness;

/// <summary>One connection to the control port, spoken in raw lines.</summary>
internal sealed class ControlConnection(DuplexStream stream) : IAsyncDisposable
{
    private readonly StreamReader _reader = new(stream, Encoding.UTF8, false, 4096, leaveOpen: true);

    public DuplexStream Stream => stream;

    public static async Task<ControlConnection> OpenAsync(GuestInstance guest) => new(await guest.ConnectAsync(GuestPort.Control));

    public async Task SendAsync(string line) => await stream.WriteAsync(Encoding.UTF8.GetBytes(line + "\n")).AsTask().WaitAsync(GuestInstance.Deadline);

    /// <summary>The next line; null at the end.</summary>
    public async Task<string?> ReceiveAsync() => await _reader.ReadLineAsync().WaitAsync(GuestInstance.Deadline);

    /// <summary>The answer to a request, pushed lifecycle messages passed over.</summary>
    public async Task<string> AskAsync(string line)
    {
        await SendAsync(line);
        while (true)
        {
            var answer = await ReceiveAsync();
            Assert.NotNull(answer);
            if (!answer.StartsWith("{\"type\":\"lifecycle\"", StringComparison.Ordinal))
            {
                return answer;
            }
        }
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();
}
