using Vivarium.TestKit;

namespace Vivarium.Transport.Tests.Peers;

public sealed class PeerAllowanceTests
{
    private readonly FakeTimeProvider clock = new();

    [Fact]
    public void One_user_cannot_take_all_places()
    {
        var allowance = new PeerAllowance(most: 5, mostOfOne: 3, perSecond: 100, clock);
        Assert.Equal([PeerVerdict.Welcome, PeerVerdict.Welcome, PeerVerdict.Welcome, PeerVerdict.UserFull], Enumerable.Range(0, 4).Select(_ => allowance.Enter(1000)));
        Assert.Equal([PeerVerdict.Welcome, PeerVerdict.Welcome, PeerVerdict.Full], Enumerable.Range(0, 3).Select(_ => allowance.Enter(1001)));
        allowance.Leave(1000);
        Assert.Equal(PeerVerdict.Welcome, allowance.Enter(1001));
        Assert.Equal(5, allowance.Open);
    }

    [Fact]
    public void A_user_who_connects_too_fast_is_refused_until_time_has_passed_and_others_are_not()
    {
        var allowance = new PeerAllowance(most: 1000, mostOfOne: 1000, perSecond: 10, clock);
        var verdicts = Enumerable.Range(0, 30).Select(_ => Once(allowance, 1000)).ToArray();
        Assert.Equal(20, verdicts.Count(static v => v == PeerVerdict.Welcome));
        Assert.Equal(10, verdicts.Count(static v => v == PeerVerdict.TooFast));
        Assert.Equal(PeerVerdict.Welcome, Once(allowance, 1001));
        clock.Advance(TimeSpan.FromSeconds(0.5));
        Assert.Equal(5, Enumerable.Range(0, 30).Count(_ => Once(allowance, 1000) == PeerVerdict.Welcome));
    }

    [Fact]
    public void Users_that_have_left_are_forgotten()
    {
        var allowance = new PeerAllowance(most: 10, mostOfOne: 10, perSecond: 10, clock);
        for (uint uid = 0; uid < 10_000; uid++)
        {
            Assert.Equal(PeerVerdict.Welcome, Once(allowance, uid));
        }

        Assert.Equal(0, allowance.Open);
    }

    private static PeerVerdict Once(PeerAllowance allowance, uint uid)
    {
        var verdict = allowance.Enter(uid);
        if (verdict == PeerVerdict.Welcome)
        {
            allowance.Leave(uid);
        }

        return verdict;
    }
}
