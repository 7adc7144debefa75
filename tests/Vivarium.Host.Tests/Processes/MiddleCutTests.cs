using Vivarium.Host.Processes;

namespace Vivarium.Host.Tests.Processes;

public sealed class MiddleCutTests
{
    [Theory]
    [InlineData(10, 10)]
    [InlineData(10, 11)]
    [InlineData(10, 1000)]
    [InlineData(0, 5)]
    [InlineData(1, 5)]
    [InlineData(100_000, 400_000)]
    public void Beginning_and_end_are_kept_however_the_bytes_arrive(int limit, int total)
    {
        var all = new byte[total];
        new Random(7).NextBytes(all);
        foreach (var piece in new[] { 1, 3, 7, 64, 4096, total })
        {
            if (total / piece > 50_000)
            {
                continue;
            }

            var cut = new MiddleCut(limit);
            for (var at = 0; at < total; at += piece)
            {
                cut.Add(all.AsSpan(at, Math.Min(piece, total - at)));
            }

            var kept = Convert.FromBase64String(cut.ToBase64());
            if (total <= limit)
            {
                Assert.Equal(all, kept);
                Assert.Equal(0, cut.Cut);
                continue;
            }

            Assert.Equal(limit, kept.Length);
            Assert.Equal(total - limit, cut.Cut);
            Assert.Equal(all[..(limit / 2)], kept[..(limit / 2)]);
            Assert.Equal(all[^(limit - (limit / 2))..], kept[(limit / 2)..]);
        }
    }
}
