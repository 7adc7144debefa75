using System.Text.Json;
using Vivarium.Guest.Init;
using Vivarium.Guest.Ports;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Control;

/// <summary>
/// The state the guest reports, and pushes when it changes.
/// <code>
/// booting ── configured ──► ready ⇄ degraded
///    └────────── stop ────────┴──► shutdown
/// </code>
/// </summary>
internal sealed class Lifecycle
{
    private readonly Lock _gate = new();
    private readonly List<Subscriber> _subscribers = [];
    private readonly Dictionary<string, string> _troubles = [];
    private string _base = "booting";

    /// <summary>The state now.</summary>
    public string State
    {
        get
        {
            lock (_gate)
            {
                return Current;
            }
        }
    }

    private string Current => _base == "ready" && _troubles.Count > 0 ? "degraded" : _base;

    /// <summary>Moves on to <c>ready</c> or <c>shutdown</c>.</summary>
    public void Enter(string state, string message) => Change(() => _base = _base == "shutdown" ? _base : state, message);

    /// <summary>Something is wrong until <see cref="Mended"/> is called with the same name.</summary>
    public void Trouble(string name, string message) => Change(() => _troubles[name] = message, message);

    /// <summary>It is right again.</summary>
    public void Mended(string name) => Change(() => _troubles.Remove(name), $"{name}: right again");

    /// <summary>Pushes changes to a connection whose host has proved itself, until disposed.</summary>
    public IDisposable Subscribe(Func<byte[], Task> push, TokenGate gate)
    {
        var subscriber = new Subscriber(this, push, gate);
        lock (_gate)
        {
            _subscribers.Add(subscriber);
        }

        return subscriber;
    }

    private void Change(Action change, string message)
    {
        Subscriber[] subscribers;
        string state;
        lock (_gate)
        {
            var before = Current;
            change();
            state = Current;
            if (state == before)
            {
                return;
            }

            subscribers = [.. _subscribers];
        }

        ConsoleLog.Write($"{state}: {message}");
        var payload = JsonSerializer.SerializeToElement(new LifecyclePayload { State = state, Message = message }, GuestJson.Default.LifecyclePayload);
        var line = JsonLines.ToLine(new ControlEnvelope { Type = ControlType.Lifecycle, Payload = payload }, GuestJson.Default.ControlEnvelope);
        foreach (var subscriber in subscribers)
        {
            subscriber.Push(line);
        }
    }

    private sealed class Subscriber(Lifecycle owner, Func<byte[], Task> push, TokenGate gate) : IDisposable
    {
        private Task _last = Task.CompletedTask;

        public void Push(byte[] line)
        {
            lock (owner._gate)
            {
                if (gate.IsOpen)
                {
                    _last = PushAfterAsync(_last, line);
                }
            }
        }

        public void Dispose()
        {
            lock (owner._gate)
            {
                owner._subscribers.Remove(this);
            }
        }

        private async Task PushAfterAsync(Task previous, byte[] line)
        {
            await previous.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
            await push(line).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
