using System.Net.Sockets;
using Vivarium.Linux.Files;
using Vivarium.Linux.Sockets;
using Vivarium.TestKit;

namespace Vivarium.Linux.Tests.Sockets;

public sealed class UnixSocketTests : IDisposable
{
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
    private readonly TempDir temp = new();

    public void Dispose() => temp.Dispose();

    [Fact]
    public void The_peer_is_known()
    {
        using var server = UnixSocket.Listen(temp["s"], Mode, gid: 1234);
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(temp["s"]));
        using var accepted = server.Accept();
        Assert.Equal(new PeerCredentials(Environment.ProcessId, 0, 0), PeerCredentials.Of(accepted));
        var status = FileStatus.Of(temp["s"]);
        Assert.Equal((0x1B0, 1234u), (status.Mode, status.Gid));
        Assert.Single(Directory.GetFileSystemEntries(temp.Path));
    }

    [Fact]
    public async Task A_living_socket_is_not_taken_away_and_a_dead_one_is_replaced()
    {
        var path = temp["s"];
        using (UnixSocket.Listen(path, Mode))
        {
            Assert.Equal(Errno.EADDRINUSE, Assert.Throws<LinuxException>(() => UnixSocket.Listen(path, Mode)).Errno);
        }

        Assert.True(File.Exists(path)); // left behind
        // A child another test is just starting may hold a copy of the descriptor until it executes.
        await Eventually.True(() => !UnixSocket.Answers(path));
        using var again = UnixSocket.Listen(path, Mode);
        Assert.True(UnixSocket.Answers(path));

        temp.Write("file", "keep");
        Assert.Equal(Errno.EADDRINUSE, Assert.Throws<LinuxException>(() => UnixSocket.Listen(temp["file"], Mode)).Errno);
        Assert.Equal("keep", File.ReadAllText(temp["file"]));
    }

    [Fact]
    public void A_path_too_long_is_refused_by_name()
    {
        var error = Assert.Throws<LinuxException>(() => UnixSocket.Listen(temp[new string('x', 100)], Mode));
        Assert.Equal(Errno.ENAMETOOLONG, error.Errno);
        Assert.Contains("107", error.Message);
    }
}
