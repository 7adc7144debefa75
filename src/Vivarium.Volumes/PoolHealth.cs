using System.Globalization;

namespace Vivarium.Volumes;

/// <summary>How the pool is.</summary>
public enum PoolState
{
    /// <summary>Well.</summary>
    Healthy,

    /// <summary>Works, and somebody should look: filling up, or the device has shown errors.</summary>
    Degraded,

    /// <summary>Nearly full: new volumes are refused, deleting works.</summary>
    Critical,

    /// <summary>Nothing can be written: read-only after an error, or gone.</summary>
    Unusable,
}

/// <summary>State of the pool with a sentence for people.</summary>
/// <param name="State">How it is.</param>
/// <param name="UsedFraction">0 to 1.</param>
/// <param name="Message">What was found, one sentence.</param>
public sealed record PoolHealth(PoolState State, double UsedFraction, string Message)
{
    /// <summary>From this fraction on the pool is <see cref="PoolState.Degraded"/>.</summary>
    public const double WarnFraction = 0.85;

    /// <summary>From this fraction on it is <see cref="PoolState.Critical"/>.</summary>
    public const double CriticalFraction = 0.95;

    /// <summary>With less free than this it is <see cref="PoolState.Critical"/> however empty: the disk under a sparse pool can be full when the pool is not.</summary>
    public const long MinimumFreeBytes = 16L * 1024 * 1024;

    /// <summary>Judges the space alone.</summary>
    public static PoolHealth Of(PoolSpace space)
    {
        var state = space.UsedFraction switch
        {
            >= CriticalFraction => PoolState.Critical,
            _ when space.FreeBytes < MinimumFreeBytes => PoolState.Critical,
            >= WarnFraction => PoolState.Degraded,
            _ => PoolState.Healthy,
        };
        var text = string.Create(
            CultureInfo.InvariantCulture,
            $"the pool is {space.UsedFraction * 100:0.#} % full, {space.FreeBytes / (1024.0 * 1024 * 1024):0.##} GiB free");
        return new PoolHealth(state, space.UsedFraction, text);
    }
}
