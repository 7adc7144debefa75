namespace Vivarium.Transport.Yamux;

/// <summary>Which end of a session this is; decides who uses odd and who even stream ids.</summary>
public enum YamuxRole
{
    /// <summary>Opens streams with odd ids; the host.</summary>
    Client,

    /// <summary>Accepts them; its own would have even ids; the guest.</summary>
    Server,
}
