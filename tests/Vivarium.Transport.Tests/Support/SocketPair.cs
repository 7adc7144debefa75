using System.Net.Sockets;
using Vivarium.Transport.Supervisor;

namespace Vivarium.Transport.Tests.Support;

/// <summary>Two connected Unix sockets.</summary>
internal static class SocketPair
{
    public static async Task<(UnixSocketStream One, UnixSocketStream Other)> CreateAsync()
    {
        var path = Path.Combine(Path.GetTempPath(), $"viv-t-{Guid.NewGuid():N}.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(1);
        try
        {
            var one = await UnixSocketStream.ConnectAsync(path, "the test", Limits.Token);
            return (one, new UnixSocketStream(await listener.AcceptAsync(Limits.Token)));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
