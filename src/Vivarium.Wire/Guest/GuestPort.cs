namespace Vivarium.Wire.Guest;

/// <summary>The guest agent's ports. Every transport offers one call: connect to a guest port, get a duplex byte stream.</summary>
public static class GuestPort
{
    /// <summary>Newline-delimited JSON envelopes (<see cref="ControlEnvelope"/>).</summary>
    public const int Control = 1024;

    /// <summary>One connection is one process.</summary>
    public const int Exec = 1025;

    /// <summary>Named byte streams.</summary>
    public const int Streams = 1026;

    /// <summary>File transfers and requests.</summary>
    public const int Files = 1027;

    /// <summary>Port forwards: a first line names the guest address and port, then raw bytes.</summary>
    public const int Forward = 1028;
}
