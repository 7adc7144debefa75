namespace Vivarium.Client;

/// <summary>Settings of a <see cref="SessionClient"/>.</summary>
public sealed record SessionClientOptions
{
    /// <summary>Bearer token: the service's own, or that of one session.</summary>
    public string? Token { get; init; }

    /// <summary>How long a call may take; null: as long as it does. What a call has begun goes on when its time is over.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>How often a call that is safe to repeat is tried while the service cannot be reached, 1 to 10.</summary>
    public int Attempts { get; init; } = 3;

    /// <summary>Largest message taken, bytes.</summary>
    public int MaxMessageBytes { get; init; } = Wire.Sessions.SessionMethod.DefaultMaxMessageBytes;

    /// <summary>Clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
