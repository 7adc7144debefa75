using Microsoft.Extensions.Logging.Abstractions;
using Vivarium.Host.Events;
using Vivarium.Host.State;
using Vivarium.Host.Tests.Support;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.State;

public sealed class EventLogTests : IDisposable
{
    private readonly TestDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void A_clean_restart_goes_on_with_the_next_number_and_remembers()
    {
        using (var database = Open())
        {
            var log = new EventLog(database, TimeProvider.System);
            log.Publish("a");
            log.Publish("b");
            log.Close();
        }

        using var again = Open();
        var next = new EventLog(again, TimeProvider.System);
        next.Publish("c");
        Assert.Equal([(1, "a"), (2, "b"), (3, "c")], next.After(0).Select(static e => (e.Sequence, e.Type)));
    }

    [Fact]
    public void After_a_crash_no_number_is_used_twice()
    {
        long last;
        using (var database = Open())
        {
            var log = new EventLog(database, TimeProvider.System);
            log.Publish("a");
            last = log.After(0)[^1].Sequence;
        }

        using var again = Open();
        var next = new EventLog(again, TimeProvider.System);
        next.Publish("b");
        Assert.True(next.After(0)[^1].Sequence > last);
    }

    [Fact]
    public void A_subscriber_sees_remembered_and_new_ones_once_and_in_order()
    {
        using var database = Open();
        var log = new EventLog(database, TimeProvider.System);
        for (var i = 0; i < 10; i++)
        {
            log.Publish("old");
        }

        var seen = new List<HostEvent>();
        using (log.Subscribe(4, seen.Add))
        {
            log.Publish("new");
        }

        log.Publish("unseen");
        Assert.Equal([5, 6, 7, 8, 9, 10, 11], seen.Select(static e => e.Sequence));
    }

    [Fact]
    public void The_ring_is_bounded()
    {
        using var database = Open();
        var log = new EventLog(database, TimeProvider.System);
        for (var i = 0; i < EventLog.Remembered + 10; i++)
        {
            log.Publish("e");
        }

        Assert.Equal(EventLog.Remembered, log.After(0).Count);
        Assert.Equal(11, log.After(0)[0].Sequence);
    }

    private StateDatabase Open() => StateDatabase.Open(directory.File("v.db"), NullLogger.Instance);
}
