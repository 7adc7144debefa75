using Vivarium.Host.Timers;
using Vivarium.TestKit;

namespace Vivarium.Host.Tests.Timers;

public sealed class AlarmsTests
{
    private readonly FakeTimeProvider time = new();
    private readonly List<string> rung = [];

    [Fact]
    public async Task They_ring_once_each_in_order_and_at_their_moment()
    {
        await using var alarms = new Alarms(time);
        Set(alarms, "b", 20);
        Set(alarms, "a", 10);
        time.Advance(TimeSpan.FromSeconds(9));
        Assert.Empty(rung);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(["a"], rung);
        time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(["a", "b"], rung);
        Assert.Equal(0, alarms.Count);
    }

    [Fact]
    public async Task Setting_again_moves_and_clearing_silences()
    {
        await using var alarms = new Alarms(time);
        Set(alarms, "a", 10);
        Set(alarms, "a", 30);
        Set(alarms, "b", 15);
        alarms.Clear("b");
        time.Advance(TimeSpan.FromSeconds(29));
        Assert.Empty(rung);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(["a"], rung);
    }

    [Fact]
    public async Task A_moment_in_the_past_is_now()
    {
        await using var alarms = new Alarms(time);
        Set(alarms, "a", -100);
        time.Advance(TimeSpan.Zero);
        Assert.Equal(["a"], rung);
    }

    [Fact]
    public async Task A_far_moment_is_reached_in_steps()
    {
        await using var alarms = new Alarms(time);
        Set(alarms, "a", 400L * 24 * 3600);
        time.Advance(TimeSpan.FromDays(399));
        Assert.Empty(rung);
        time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(["a"], rung);
    }

    [Fact]
    public async Task Moving_an_alarm_a_thousand_times_keeps_the_queue_small_and_rings_once()
    {
        await using var alarms = new Alarms(time);
        for (var i = 0; i < 1000; i++)
        {
            Set(alarms, "a", 1000 + i);
            alarms.Clear("other");
        }

        time.Advance(TimeSpan.FromSeconds(5000));
        Assert.Equal(["a"], rung);
    }

    private void Set(Alarms alarms, string key, long seconds) => alarms.Set(key, time.GetUtcNow().AddSeconds(seconds), () => rung.Add(key));
}
