using Vivarium.Wire.Host;

namespace Vivarium.Host.Health;

/// <summary>Named things that are not well now; setting one again keeps its beginning, clearing it makes the daemon healthy again.</summary>
public sealed class HealthConditions(TimeProvider time)
{
    /// <summary>Words of <see cref="HealthCondition.Severity"/> and <see cref="HealthReply.Status"/>.</summary>
    public const string Healthy = "healthy", Degraded = "degraded", Unhealthy = "unhealthy";

    private readonly Lock gate = new();
    private readonly Dictionary<string, HealthCondition> conditions = new(StringComparer.Ordinal);

    /// <summary>Sets or changes a condition.</summary>
    public void Set(string name, string severity, string message)
    {
        lock (gate)
        {
            var since = conditions.TryGetValue(name, out var old) ? old.SinceUnixMs : time.GetUtcNow().ToUnixTimeMilliseconds();
            conditions[name] = new HealthCondition { Name = name, Severity = severity, Message = message, SinceUnixMs = since };
        }
    }

    /// <summary>Says that it is well again; true when it was not before.</summary>
    public bool Clear(string name)
    {
        lock (gate)
        {
            return conditions.Remove(name);
        }
    }

    /// <summary>Everything at once.</summary>
    public HealthReply Snapshot()
    {
        lock (gate)
        {
            HealthCondition[] all = [.. conditions.Values.OrderBy(static c => c.Name, StringComparer.Ordinal)];
            return new HealthReply
            {
                Status = all.Any(static c => c.Severity == Unhealthy) ? Unhealthy : all.Length > 0 ? Degraded : Healthy,
                Conditions = all,
            };
        }
    }
}
