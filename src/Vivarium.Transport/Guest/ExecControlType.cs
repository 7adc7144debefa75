namespace Vivarium.Transport.Guest;

/// <summary>Values of <see cref="Wire.Guest.ExecControl.Type"/>.</summary>
public static class ExecControlType
{
    /// <summary>Caller: the terminal has a new size.</summary>
    public const string Resize = "resize";

    /// <summary>Caller: send a signal.</summary>
    public const string Signal = "signal";

    /// <summary>Caller: no more input.</summary>
    public const string CloseStdin = "close_stdin";

    /// <summary>Guest: the process has ended.</summary>
    public const string Exit = "exit";

    /// <summary>Either: nothing, but the connection is alive.</summary>
    public const string Ping = "ping";
}
