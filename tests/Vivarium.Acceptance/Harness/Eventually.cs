namespace Vivarium.Acceptance.Harness;

/// <summary>Waits for something to become true, with a deadline; never a fixed sleep.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(20);

    public static Task HoldsAsync(Func<bool> condition, TimeSpan within, string what) =>
        HoldsAsync(() => Task.FromResult(condition()), within, what);

    public static async Task HoldsAsync(Func<Task<bool>> condition, TimeSpan within, string what) =>
        Assert.True(await TryAsync(condition, within), $"did not become true within {within.TotalSeconds:0.#} s: {what}");

    public static Task<bool> TryAsync(Func<bool> condition, TimeSpan within) => TryAsync(() => Task.FromResult(condition()), within);

    public static async Task<bool> TryAsync(Func<Task<bool>> condition, TimeSpan within)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(began) > within)
            {
                return false;
            }

            await Task.Delay(Step, TimeProvider.System, CancellationToken.None);
        }

        return true;
    }

    /// <summary>Asks again until the question has an answer.</summary>
    public static async Task<T> AnswerAsync<T>(Func<Task<T?>> question, TimeSpan within, string what)
        where T : class
    {
        T? answer = null;
        await HoldsAsync(async () => (answer = await question()) is not null, within, what);
        return answer!;
    }
}
