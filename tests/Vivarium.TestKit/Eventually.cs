using System.Runtime.CompilerServices;

namespace Vivarium.TestKit;

/// <summary>Waits for something to become true, instead of sleeping for as long as it might take.</summary>
public static class Eventually
{
    /// <summary>Patience unless a test says otherwise.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(10);

    /// <summary>Returns when the condition holds; throws with its text when it does not in time. A condition that throws does not hold yet.</summary>
    public static Task True(Func<bool> condition, TimeSpan? within = null, [CallerArgumentExpression(nameof(condition))] string? text = null) =>
        True(() => Task.FromResult(condition()), within, text);

    /// <summary>As the other, for a condition that has to ask somebody.</summary>
    public static async Task True(Func<Task<bool>> condition, TimeSpan? within = null, [CallerArgumentExpression(nameof(condition))] string? text = null)
    {
        var patience = within ?? Patience;
        var begin = TimeProvider.System.GetTimestamp();
        while (true)
        {
            Exception? last = null;
            try
            {
                if (await condition().ConfigureAwait(false))
                {
                    return;
                }
            }
            catch (Exception e)
            {
                last = e;
            }

            if (TimeProvider.System.GetElapsedTime(begin) > patience)
            {
                throw new TimeoutException($"not within {patience.TotalSeconds:0.#} s: {text}", last);
            }

            await Task.Delay(Interval, TimeProvider.System, CancellationToken.None).ConfigureAwait(false); // bounded by the patience
        }
    }
}
