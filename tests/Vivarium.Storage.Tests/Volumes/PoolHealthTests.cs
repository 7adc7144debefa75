using Vivarium.Volumes;

namespace Vivarium.Storage.Tests.Volumes;

public sealed class PoolHealthTests
{
    [Theory]
    [InlineData(0, PoolState.Healthy)]
    [InlineData(849, PoolState.Healthy)]
    [InlineData(850, PoolState.Degraded)]
    [InlineData(949, PoolState.Degraded)]
    [InlineData(950, PoolState.Critical)]
    [InlineData(1000, PoolState.Critical)]
    public void Thresholds_are_those_of_the_design(long used, PoolState expected)
    {
        var health = PoolHealth.Of(new PoolSpace(1000L << 30, used << 30, (1000 - used) << 30));
        Assert.Equal(expected, health.State);
        Assert.Equal(used / 1000.0, health.UsedFraction, 6);
    }

    [Fact]
    public void An_empty_pool_on_a_full_disk_is_critical() =>
        Assert.Equal(PoolState.Critical, PoolHealth.Of(new PoolSpace(2 << 20, 1 << 20, 1 << 20)).State);

    [Fact]
    public void Percentages_are_written_as_what_they_are() =>
        Assert.Equal("the pool is 87.5 % full, 1 GiB free", PoolHealth.Of(new PoolSpace(8L << 30, 7L << 30, 1L << 30)).Message);
}
