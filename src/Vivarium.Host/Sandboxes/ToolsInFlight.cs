using Vivarium.Host.Operations;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.Sandboxes;

/// <summary>
/// Tools that run in a sandbox now. They are not operations, many run at once; but what must not happen under them (pausing, rolling back) closes the door first, so
/// that none comes in meanwhile, and then looks who is there.
/// </summary>
internal sealed class ToolsInFlight
{
    private readonly Lock gate = new();
    private int count;
    private int closed;
    private TaskCompletionSource? empty;

    /// <summary>Tools that read a file and write it again take turns.</summary>
    public OneAtATime Writing { get; } = new();

    /// <summary>How many run.</summary>
    public int Count
    {
        get
        {
            lock (gate)
            {
                return count;
            }
        }
    }

    /// <summary>How often the sandbox has been rolled back, seen by this daemon: what was answered before is of another world.</summary>
    public int Generation { get; private set; }

    /// <summary>Comes in; the answer is left by disposing it. Null while the door is closed.</summary>
    public IDisposable? TryEnter()
    {
        lock (gate)
        {
            if (closed > 0)
            {
                return null;
            }

            count++;
            return new Place(this);
        }
    }

    /// <summary>Closes the door if nobody is inside, or in any case with force; open again by disposing.</summary>
    public IDisposable? TryClose(bool force)
    {
        lock (gate)
        {
            if (count > 0 && !force)
            {
                return null;
            }

            closed++;
            return new Closure(this);
        }
    }

    /// <summary>Closes the door and waits until everybody has left; open again by disposing.</summary>
    /// <exception cref="VivariumException">failed_precondition <c>tools_in_flight</c>: they did not leave in time.</exception>
    public async Task<IDisposable> DrainAsync(string what, TimeSpan patience, TimeProvider time, CancellationToken cancellationToken)
    {
        IDisposable closure;
        Task left;
        lock (gate)
        {
            closure = TryClose(force: true)!;
            empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (count == 0)
            {
                empty.TrySetResult();
            }

            left = empty.Task;
        }

        try
        {
            await left.WaitAsync(patience, time, cancellationToken).ConfigureAwait(false);
            return closure;
        }
        catch (TimeoutException)
        {
            var still = Count;
            closure.Dispose();
            throw Refusal(what, still, $"after {patience.TotalSeconds:0.#} s");
        }
        catch
        {
            closure.Dispose();
            throw;
        }
    }

    /// <summary>The sandbox was rolled back.</summary>
    public void Forget()
    {
        lock (gate)
        {
            Generation++;
        }
    }

    /// <summary>Says that tools are in the way.</summary>
    public static VivariumException Refusal(string what, int count, string? detail = null, string? hint = null) => new(
        ErrorCode.FailedPrecondition,
        $"{what}: {count} tool call{(count == 1 ? " is" : "s are")} still running" + (detail is null ? string.Empty : " " + detail),
        hint ?? "Wait until they have ended, or ask for shorter ones.",
        "tools_in_flight");

    private void Leave()
    {
        lock (gate)
        {
            if (--count == 0)
            {
                empty?.TrySetResult();
                empty = null;
            }
        }
    }

    private void Open()
    {
        lock (gate)
        {
            closed--;
            if (closed == 0)
            {
                empty = null;
            }
        }
    }

    private sealed class Place(ToolsInFlight tools) : IDisposable
    {
        private int left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref left, 1) == 0)
            {
                tools.Leave();
            }
        }
    }

    private sealed class Closure(ToolsInFlight tools) : IDisposable
    {
        private int opened;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref opened, 1) == 0)
            {
                tools.Open();
            }
        }
    }
}
