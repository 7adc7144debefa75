using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;

namespace Vivarium.Host.Tests.Sessions;

/// <summary>One daemon that serves sessions, with a token and a btrfs pool, for the tests of a class.</summary>
public sealed class SessionDaemon : IAsyncLifetime
{
    internal const string Token = "a-token-of-the-session-service-tests";

    private readonly string file = Path.GetTempFileName();

    internal TestDaemon Daemon { get; private set; } = null!;

    /// <summary>URL of its HTTP listener.</summary>
    internal string Address { get; private set; } = "";

    internal SessionHttp Http => new(Address, Token);

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllLinesAsync(file, [Token]);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Daemon = await TestDaemon.StartAsync(
            "VIVARIUM_HTTP_LISTEN=127.0.0.1:0", "VIVARIUM_SESSIONS_ENABLED=true", "VIVARIUM_SESSIONS_TOKEN_FILE=" + file, "VIVARIUM_POOL_STORE=btrfs", "VIVARIUM_POOL_SIZE=4GiB");
        Address = await AddressAsync(Daemon);
    }

    /// <summary>Looks the address up anew: the port is another one after a restart.</summary>
    internal async Task FollowAsync() => Address = await AddressAsync(Daemon);

    internal static async Task<string> AddressAsync(TestDaemon daemon)
    {
        string? address = null;
        await Eventually.True(
            async () =>
            {
                await using var client = await daemon.ConnectAsync();
                address = (await client.InfoAsync(CancellationToken.None)).Http;
                return address is not null;
            },
            TimeSpan.FromSeconds(30));
        return address!;
    }

    public async ValueTask DisposeAsync()
    {
        await Daemon.DisposeAsync();
        File.Delete(file);
    }
}

/// <summary>Tests of the session service and of its clients share one daemon, and take turns.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class SessionTests : ICollectionFixture<SessionDaemon>
{
    public const string Name = "sessions";
}
