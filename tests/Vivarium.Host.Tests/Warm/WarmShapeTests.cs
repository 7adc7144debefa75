using Vivarium.Host.Tests.Support;
using Vivarium.Host.Warm;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Tests.Warm;

public sealed class WarmShapeTests
{
    [Fact]
    public void Only_what_cannot_be_changed_later_is_part_of_the_shape()
    {
        var record = Records.Make("a");
        Assert.Equal(WarmShape.Of(record), WarmShape.Of(record with { Name = "b", Env = new Dictionary<string, string> { ["A"] = "b" }, User = "user", TimeoutMs = 5 }));
        Assert.Equal(WarmShape.Of(record), WarmShape.Of(record with { Resources = record.Resources with { DiskBytes = 1 << 30 } }));
        Assert.NotEqual(WarmShape.Of(record), WarmShape.Of(record with { Resources = record.Resources with { Cpus = 2 } }));
        Assert.NotEqual(WarmShape.Of(record), WarmShape.Of(record with { Template = "base" }));
    }

    [Fact]
    public void What_needs_a_cold_start_has_none()
    {
        var record = Records.Make("a");
        Assert.Null(WarmShape.Of(record with { Network = "nat" }));
        Assert.Null(WarmShape.Of(record with { Runtime = "direct" }));
        Assert.Null(WarmShape.Of(record with { Shares = [new ShareSpec { HostPath = "/usr", GuestPath = "/mnt" }] }));
    }

    [Fact]
    public void The_latest_shapes_get_theirs_first_until_the_most_is_reached()
    {
        var shapes = Enumerable.Range(1, 4).Select(n => (new WarmShape("tiny", "container", n, 1 << 28, 64), 0)).ToArray();
        Assert.Equal([3, 3, 1, 0], WarmStock.Plan(shapes, perShape: 3, max: 7).Select(p => p.Wanted));
        Assert.Equal([2, 2, 2, 2], WarmStock.Plan(shapes, perShape: 2, max: 100).Select(p => p.Wanted));
    }

    [Fact]
    public void Shapes_are_forgotten_after_their_time_and_beyond_a_bound()
    {
        var clock = new TestKit.FakeTimeProvider();
        var stock = new WarmStock(clock);
        for (var n = 1; n <= WarmStock.MaxShapes + 10; n++)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            stock.Use(new WarmShape("tiny", "container", n, 1 << 28, 64));
        }

        var shapes = stock.Shapes(TimeSpan.FromHours(1));
        Assert.Equal(WarmStock.MaxShapes, shapes.Count);
        Assert.Equal(WarmStock.MaxShapes + 10, shapes[0].Shape.Cpus);
        clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(5, stock.Shapes(TimeSpan.FromSeconds(9.5)).Count);
        clock.Advance(TimeSpan.FromHours(1));
        Assert.Empty(stock.Shapes(TimeSpan.FromMinutes(10)));
    }
}
