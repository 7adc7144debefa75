using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Supervision;

/// <summary>
/// Which supervisors this daemon can work with. An older one: down to <see cref="SupervisorMethod.OldestProtocol"/>. A newer one: when it says that it still serves
/// our protocol. In answers and events unknown members are ignored, whoever is newer; in parameters and the specification they are refused, so what a
/// daemon adds there it sends only to supervisors that know it.
/// </summary>
internal static class SupervisorProtocols
{
    /// <summary>Reason word of errors, and name of the condition.</summary>
    public const string Reason = "supervisor_protocol";

    /// <summary>What is wrong, a sentence; null when nothing is.</summary>
    public static string? Mismatch(SupervisorInfo info) =>
        info.Protocol < SupervisorMethod.OldestProtocol
            ? $"the supervisor of the sandbox (version {info.Version}) speaks protocol {info.Protocol}, this daemon {SupervisorMethod.OldestProtocol} to {SupervisorMethod.Protocol}"
        : info.Protocol > SupervisorMethod.Protocol && (info.OldestProtocol ?? info.Protocol) > SupervisorMethod.Protocol
            ? $"the supervisor of the sandbox (version {info.Version}) speaks protocol {info.OldestProtocol ?? info.Protocol} and newer, this daemon up to {SupervisorMethod.Protocol}"
        : null;
}
