using Microsoft.Extensions.Logging.Abstractions;
using Vivarium.Host.Health;
using Vivarium.Host.Recovery;
using Vivarium.TestKit;

namespace Vivarium.Host.Tests.Recovery;

public sealed class LeftoversTests
{
    private readonly FakeTimeProvider time = new();
    private readonly HealthConditions health;
    private int tries;

    public LeftoversTests() => health = new HealthConditions(time);

    [Fact]
    public async Task It_is_tried_again_ever_more_slowly_until_it_is_gone_and_health_says_so()
    {
        await using var leftovers = Make();
        var gone = false;
        leftovers.Add("volume", "x", new IOException("in use"), () => Try(() => gone));
        Assert.Equal("1 thing could not be taken away and will be tried again, first the volume x: in use", Said());
        foreach (var (wait, number) in new[] { (1, 1), (2, 2), (4, 3), (8, 4), (16, 5), (32, 6), (60, 7), (60, 8) })
        {
            await PassAsync(TimeSpan.FromSeconds(wait), number);
        }

        Assert.Contains("still in use", Said(), StringComparison.Ordinal);
        gone = true;
        time.Advance(TimeSpan.FromSeconds(60));
        await Eventually.True(() => leftovers.Count == 0 && Said() is null);
        time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(9, tries);
    }

    [Fact]
    public async Task One_that_hangs_is_not_begun_twice_and_does_not_keep_the_others()
    {
        await using var leftovers = Make();
        var end = new TaskCompletionSource();
        leftovers.Add("mount", "stuck", new IOException("busy"), () =>
        {
            tries++;
            return end.Task;
        });
        var other = false;
        leftovers.Add("volume", "x", new IOException("in use"), () =>
        {
            other = true;
            return Task.CompletedTask;
        });
        await PassAsync(TimeSpan.FromSeconds(1), 1);
        time.Advance(TimeSpan.FromMinutes(1));
        await Eventually.True(() => other && leftovers.Count == 1);
        for (var i = 0; i < 5; i++)
        {
            await Eventually.True(() => time.WaitingTimers == 1);
            time.Advance(TimeSpan.FromMinutes(1));
        }

        Assert.Equal(1, tries);
        end.SetResult();
        await Eventually.True(() =>
        {
            time.Advance(TimeSpan.FromSeconds(5));
            return leftovers.Count == 0;
        });
    }

    [Fact]
    public async Task Adding_one_twice_is_one_and_there_is_a_bound_and_an_end_leaves_them()
    {
        var leftovers = Make();
        for (var i = 0; i < 2 * Leftovers.Most; i++)
        {
            leftovers.Add("volume", $"{i / 2}", new IOException("in use"), () => Try(static () => false));
        }

        leftovers.Add("volume", "one more", new IOException("in use"), () => Try(static () => false));
        Assert.Equal(Leftovers.Most, leftovers.Count);
        await leftovers.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10));
        leftovers.Add("volume", "late", new IOException("in use"), () => Try(static () => false));
        Assert.Equal(Leftovers.Most, leftovers.Count);
        Assert.Equal(0, tries);
    }

    private Leftovers Make() => new(health, time, NullLogger<Leftovers>.Instance);

    private string? Said() => health.Snapshot().Conditions.SingleOrDefault(static c => c.Name == Leftovers.Condition)?.Message;

    private Task Try(Func<bool> isGone)
    {
        tries++;
        return isGone() ? Task.CompletedTask : Task.FromException(new IOException("still in use"));
    }

    /// <summary>Nothing happens before the wait is over; then one try.</summary>
    private async Task PassAsync(TimeSpan wait, int number)
    {
        // Its own wait, not the timer that bounds the try before it and is there for an instant.
        await Eventually.True(() => time.NextDueIn == wait && time.WaitingTimers == 1);
        time.Advance(wait - TimeSpan.FromMilliseconds(1));
        Assert.Equal(number - 1, tries);
        time.Advance(TimeSpan.FromMilliseconds(1));
        await Eventually.True(() => tries == number);
    }
}
