using System.Text;
using Vivarium.Transport.Lines;

namespace Vivarium.Transport.Tests.Support;

/// <summary>The other end of a connection, spoken by the test.</summary>
internal sealed class ScriptedGuest(LineStream lines) : IAsyncDisposable
{
    public async Task<string> ReadAsync() => Encoding.UTF8.GetString((await lines.ReadLineAsync(2_000_000, Limits.Token))!.Value.Span);

    public async Task<byte[]> ReadBytesAsync(int count)
    {
        var bytes = new byte[count];
        await lines.ReadExactlyAsync(bytes, Limits.Token);
        return bytes;
    }

    public ValueTask SendAsync(byte[] bytes) => lines.WriteAsync(bytes, Limits.Token);

    public ValueTask SendLineAsync(string line) => SendAsync(Encoding.UTF8.GetBytes(line + "\n"));

    public ValueTask DisposeAsync() => lines.DisposeAsync();
}
