namespace Vivarium.Acceptance.Harness;

/// <summary>
/// A test on a daemon it shares with its collection. After every test nothing may be left that was not there before it: no process, mount,
/// cgroup, loop device or directory.
/// </summary>
public abstract class VivTest(PrivateDaemon daemon) : IAsyncLifetime
{
    private Footprint before = null!;

    /// <summary>The two kinds of isolation that exist.</summary>
    public static TheoryData<string> Runtimes => new("container", "gvisor");

    internal PrivateDaemon Daemon => daemon;

    internal Viv Viv => daemon.Viv;

    /// <inheritdoc/>
    public virtual ValueTask InitializeAsync()
    {
        before = Footprint.Of(daemon);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        IReadOnlyList<string> left = [];
        if (!await Eventually.TryAsync(() => (left = Footprint.Of(daemon).Since(before)).Count == 0, TimeSpan.FromSeconds(5)))
        {
            Assert.Fail("left behind by this test:\n" + string.Join('\n', left));
        }
    }
}

/// <summary>Tests that need no more than the tiny template share one daemon.</summary>
[CollectionDefinition(Name)]
public sealed class TinyCollection : ICollectionFixture<PrivateDaemon>
{
    /// <summary>Name of the collection.</summary>
    public const string Name = "tiny";
}

/// <summary>Tests that do real work share one daemon with the base template.</summary>
[CollectionDefinition(Name)]
public sealed class BaseCollection : ICollectionFixture<PrivateBaseDaemon>
{
    /// <summary>Name of the collection.</summary>
    public const string Name = "base";
}

/// <summary>Tests that measure time run alone, after the others, with a daemon of their own.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class QuietCollection : ICollectionFixture<PrivateDaemon>
{
    /// <summary>Name of the collection.</summary>
    public const string Name = "quiet";
}
