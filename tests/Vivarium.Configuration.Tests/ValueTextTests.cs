using Vivarium.Configuration.Values;

namespace Vivarium.Configuration.Tests;

public sealed class ValueTextTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("1024", 1024)]
    [InlineData("512MiB", 512L << 20)]
    [InlineData("1.5GiB", 1536L << 20)]
    [InlineData("64k", 65536)]
    [InlineData("2 G", 2L << 30)]
    [InlineData("3kB", 3000)]
    [InlineData("1tb", 1_000_000_000_000)]
    [InlineData("7B", 7)]
    [InlineData(".5m", 512 << 10)]
    [InlineData("9223372036854775807", long.MaxValue)]
    public void Sizes(string text, long bytes)
    {
        Assert.True(ByteSize.TryParse(text, out var size));
        Assert.Equal(bytes, size.Bytes);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("MiB")]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("1e3")]
    [InlineData("1,5G")]
    [InlineData("12 parsecs")]
    [InlineData("9223372036854775808")]
    [InlineData("8388608TiB")]
    public void Not_sizes(string? text) => Assert.False(ByteSize.TryParse(text, out _));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1536L << 20)]
    [InlineData(1L << 40)]
    [InlineData(123_456_789)]
    [InlineData(long.MaxValue)]
    public void Sizes_read_back(long bytes)
    {
        Assert.True(ByteSize.TryParse(new ByteSize(bytes).ToString(), out var size));
        Assert.Equal(bytes, size.Bytes);
    }

    [Theory]
    [InlineData("90s", 90_000)]
    [InlineData("2h30m", 9_000_000)]
    [InlineData("1.5h", 5_400_000)]
    [InlineData("500ms", 500)]
    [InlineData("1d 2h", 93_600_000)]
    [InlineData("45", 45_000)]
    [InlineData("1m30s250ms", 90_250)]
    [InlineData("0", 0)]
    public void Durations(string text, double milliseconds)
    {
        Assert.True(DurationText.TryParse(text, out var duration));
        Assert.Equal(milliseconds, duration.TotalMilliseconds);
        Assert.True(DurationText.TryParse(DurationText.Format(duration), out var again));
        Assert.Equal(duration, again);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("30m2h")]
    [InlineData("1h1h")]
    [InlineData("1h30")]
    [InlineData("-5s")]
    [InlineData("1e3s")]
    [InlineData("1.2.3s")]
    [InlineData("5 fortnights")]
    [InlineData("3651d")]
    [InlineData("99999999999999999999d")]
    public void Not_durations(string? text) => Assert.False(DurationText.TryParse(text, out _));

    [Theory]
    [InlineData("memroy", "memory")]
    [InlineData("state_", "state")]
    [InlineData("Timeout", "timeout")]
    [InlineData("banana", null)]
    [InlineData("x", null)]
    public void Suggestions(string written, string? expected) =>
        Assert.Equal(expected, Suggestion.Nearest(written, ["memory", "state", "timeout", "pids"]));
}
