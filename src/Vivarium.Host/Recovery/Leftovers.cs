using Microsoft.Extensions.Logging;
using Vivarium.Host.Health;

namespace Vivarium.Host.Recovery;

/// <summary>
/// What could not be taken away when it should have been (no descriptors, a full disk, something in use), tried again until it is gone: first after a second, then after
/// twice as long each time without progress, up to a minute. While there is any, health says what and why. Nothing here is durable: what a daemon's end leaves of it belongs to
/// no record, or to one that says so, and is found by the next start.
/// </summary>
/// <remarks>One thing is tried after the other, by one loop that ends with the last of them. A try that hangs costs the others its deadline once; it is not begun a second time.</remarks>
internal sealed partial class Leftovers(HealthConditions health, TimeProvider time, ILogger<Leftovers> logger) : IAsyncDisposable
{
    /// <summary>Name of the health condition.</summary>
    public const string Condition = "leftovers";

    /// <summary>Things remembered at most; what is more waits for the next start.</summary>
    public const int Most = 1000;

    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan TryTime = TimeSpan.FromMinutes(1);

    private readonly Lock gate = new();
    private readonly Dictionary<(string What, string Name), Leftover> all = [];
    private readonly CancellationTokenSource stopping = new();
    private Task running = Task.CompletedTask;

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            lock (gate)
            {
                return all.Count;
            }
        }
    }

    /// <summary>Takes over something whose removal failed.</summary>
    /// <param name="what">What kind of thing, for people.</param>
    /// <param name="name">Which one.</param>
    /// <param name="why">What kept it.</param>
    /// <param name="remove">Removes it; may be called again after a failure, and succeeds when it is gone already.</param>
    public void Add(string what, string name, Exception why, Func<Task> remove)
    {
        lock (gate)
        {
            if (stopping.IsCancellationRequested || (all.Count >= Most && !all.ContainsKey((what, name))))
            {
                LogTooMany(what, name);
                return;
            }

            if (all.TryGetValue((what, name), out var known))
            {
                known.Why = why.Message;
                return;
            }

            all.Add((what, name), new Leftover(what, name, remove) { Why = why.Message });
            Report();
            if (running.IsCompleted)
            {
                running = Task.Run(RunAsync);
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Task last;
        lock (gate)
        {
            stopping.Cancel();
            last = running;
        }

        await last.ConfigureAwait(false);
        stopping.Dispose();
    }

    private async Task RunAsync()
    {
        var wait = FirstWait;
        try
        {
            while (true)
            {
                await Task.Delay(wait, time, stopping.Token).ConfigureAwait(false);
                var progress = false;
                foreach (var leftover in Current())
                {
                    progress |= await TryAsync(leftover).ConfigureAwait(false);
                }

                lock (gate)
                {
                    Report();
                    if (all.Count == 0)
                    {
                        running = Task.CompletedTask;
                        return;
                    }
                }

                wait = progress ? FirstWait : wait < LongestWait / 2 ? wait * 2 : LongestWait;
            }
        }
        catch (OperationCanceledException)
        {
            // The next start finds what is left.
        }
    }

    private Leftover[] Current()
    {
        lock (gate)
        {
            return [.. all.Values];
        }
    }

    /// <summary>True when it is gone.</summary>
    private async Task<bool> TryAsync(Leftover leftover)
    {
        stopping.Token.ThrowIfCancellationRequested();
        leftover.Attempt ??= Task.Run(leftover.Remove);
        try
        {
            await leftover.Attempt.WaitAsync(TryTime, time, stopping.Token).ConfigureAwait(false);
            lock (gate)
            {
                all.Remove((leftover.What, leftover.Name));
            }

            LogGone(leftover.What, leftover.Name);
            return true;
        }
        catch (TimeoutException e) when (!leftover.Attempt.IsCompleted)
        {
            leftover.Why = "removing it has not ended yet";
            LogStillThere(e, leftover.What, leftover.Name);
            return false;
        }
        catch (Exception e) when (!stopping.IsCancellationRequested)
        {
            leftover.Attempt = null;
            leftover.Why = e.Message;
            LogStillThere(e, leftover.What, leftover.Name);
            return false;
        }
    }

    /// <summary>Under the lock.</summary>
    private void Report()
    {
        if (all.Count == 0)
        {
            health.Clear(Condition);
            return;
        }

        var first = all.Values.First();
        health.Set(
            Condition,
            HealthConditions.Degraded,
            $"{all.Count} thing{(all.Count == 1 ? string.Empty : "s")} could not be taken away and will be tried again, first the {first.What} {first.Name}: {first.Why}");
    }

    private sealed class Leftover(string what, string name, Func<Task> remove)
    {
        public string What => what;

        public string Name => name;

        public Func<Task> Remove => remove;

        public string Why { get; set; } = string.Empty;

        public Task? Attempt { get; set; }
    }

    [LoggerMessage(EventId = 1621, Level = LogLevel.Information, Message = "the {What} {Name}, which could not be taken away before, is gone")]
    private partial void LogGone(string what, string name);

    [LoggerMessage(EventId = 1622, Level = LogLevel.Debug, Message = "the {What} {Name} still cannot be taken away")]
    private partial void LogStillThere(Exception exception, string what, string name);

    [LoggerMessage(EventId = 1623, Level = LogLevel.Warning, Message = "the {What} {Name} cannot be taken away now; the next start tries again")]
    private partial void LogTooMany(string what, string name);
}
