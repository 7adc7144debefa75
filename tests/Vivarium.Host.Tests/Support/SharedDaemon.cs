namespace Vivarium.Host.Tests.Support;

/// <summary>One daemon for the tests of a class; they run one after another.</summary>
public sealed class SharedDaemon : IAsyncLifetime
{
    internal TestDaemon Daemon { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Daemon = await TestDaemon.StartAsync();

    public ValueTask DisposeAsync() => Daemon.DisposeAsync();
}

/// <summary>Tests with daemons take turns: they measure times and count what is left behind.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class DaemonTests
{
    public const string Name = "daemon";
}
