namespace Vivarium.Host.Operations;

/// <summary>Lets work through one after the other, in the order it came, without holding a thread or anything that has to be released.</summary>
internal sealed class Turnstile
{
    private readonly Lock gate = new();
    private Task last = Task.CompletedTask;

    /// <summary>Runs the work when all that came before has ended, whichever way.</summary>
    public async Task<T> RunAsync<T>(Func<Task<T>> work)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task before;
        lock (gate)
        {
            before = last;
            last = done.Task;
        }

        await before.ConfigureAwait(false);
        try
        {
            return await work().ConfigureAwait(false);
        }
        finally
        {
            done.SetResult();
        }
    }
}
