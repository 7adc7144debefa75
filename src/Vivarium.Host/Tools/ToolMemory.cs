using System.Text.Json;
using Vivarium.Host.Naming;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tools;

/// <summary>
/// Calls by their id: those under way, which a second caller joins, and answers of those that have ended. Bound to the sandbox and to how often it has been rolled back;
/// bounded in number, size and age, the longest unused going first. A call that did not come to an answer is not remembered.
/// </summary>
internal sealed class ToolMemory(TimeProvider time)
{
    /// <summary>Answers remembered of all sandboxes together.</summary>
    public const int MostAnswers = 4096;

    /// <summary>Characters of them.</summary>
    public const long MostCharacters = 64L * 1024 * 1024;

    /// <summary>How long an answer is remembered.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private readonly Lock gate = new();
    private readonly Dictionary<Key, LinkedListNode<Flight>> known = [];
    private readonly LinkedList<Flight> answered = new();
    private long characters;

    /// <summary>Answers remembered now.</summary>
    public int Count
    {
        get
        {
            lock (gate)
            {
                return answered.Count;
            }
        }
    }

    /// <summary>Finds the call of that id, or begins it.</summary>
    /// <returns>The call, and whether the caller has begun it and must end it.</returns>
    /// <exception cref="VivariumException">invalid_argument <c>call_id_reused</c>: the id belongs to a call of something else.</exception>
    public (Flight Flight, bool IsNew) Begin(SandboxId sandbox, int generation, ToolParams call)
    {
        var key = new Key(sandbox, generation, call.CallId!);
        lock (gate)
        {
            Trim();
            if (known.TryGetValue(key, out var node))
            {
                var flight = node.Value;
                if (flight.Name != call.Name || !Same(flight.Arguments, call.Arguments))
                {
                    throw new VivariumException(
                        ErrorCode.InvalidArgument,
                        $"calling tool {call.Name}: the call id {NameRules.Quote(call.CallId!)} belongs to another call, of {flight.Name}",
                        "Give every call an id of its own; only a repeat of the same call may have the same.",
                        "call_id_reused");
                }

                if (node.List is not null)
                {
                    answered.Remove(node);
                    answered.AddLast(node);
                }

                return (flight, false);
            }

            var begun = new Flight(key, call.Name, call.Arguments?.Clone());
            known.Add(key, new LinkedListNode<Flight>(begun));
            return (begun, true);
        }
    }

    /// <summary>The call has ended with an answer; unless it is to be forgotten, a repeat gets it.</summary>
    public void End(Flight flight, ToolReply reply, bool keep)
    {
        lock (gate)
        {
            var node = known[flight.Key];
            if (keep)
            {
                flight.Keep(reply, time.GetTimestamp());
                answered.AddLast(node);
                characters += reply.Content.Length;
                Trim();
            }
            else
            {
                known.Remove(flight.Key);
            }
        }

        flight.Answer.TrySetResult(reply);
    }

    /// <summary>The call came to nothing: whoever asks again tries again.</summary>
    public void Fail(Flight flight, Exception why)
    {
        lock (gate)
        {
            known.Remove(flight.Key);
        }

        flight.Answer.TrySetException(why);
    }

    private static bool Same(JsonElement? one, JsonElement? other) =>
        one is { } a ? other is { } b && JsonElement.DeepEquals(a, b) : other is null;

    private void Trim()
    {
        while (answered.First is { Value: var oldest } && (answered.Count > MostAnswers || characters > MostCharacters || time.GetElapsedTime(oldest.AnsweredAt) > Longest))
        {
            answered.RemoveFirst();
            known.Remove(oldest.Key);
            characters -= oldest.Length;
        }
    }

    /// <summary>What a call id is good for.</summary>
    internal readonly record struct Key(SandboxId Sandbox, int Generation, string CallId);

    /// <summary>A call under way, or its answer.</summary>
    internal sealed class Flight(Key key, string name, JsonElement? arguments)
    {
        private readonly Lock gate = new();
        private Action<ToolProgress>[] listeners = [];

        public Key Key => key;

        public string Name => name;

        public JsonElement? Arguments => arguments;

        public TaskCompletionSource<ToolReply> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public long AnsweredAt { get; private set; }

        public int Length { get; private set; }

        /// <summary>Passes what comes from now on to one listener more; the answer ends that.</summary>
        public IDisposable? Listen(Action<ToolProgress>? listener)
        {
            if (listener is null)
            {
                return null;
            }

            lock (gate)
            {
                listeners = [.. listeners, listener];
            }

            return new Listening(this, listener);
        }

        public void Pass(ToolProgress piece)
        {
            foreach (var listener in Volatile.Read(ref listeners))
            {
                listener(piece);
            }
        }

        internal void Keep(ToolReply reply, long now) => (AnsweredAt, Length) = (now, reply.Content.Length);

        private sealed class Listening(Flight flight, Action<ToolProgress> listener) : IDisposable
        {
            public void Dispose()
            {
                lock (flight.gate)
                {
                    flight.listeners = [.. flight.listeners.Where(l => l != listener)];
                }
            }
        }
    }
}
