using Vivarium.Linux.IO;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor.Lifecycle;

/// <summary>What a guest is told before its sandbox counts as running. It confirms all of it, or the start fails.</summary>
internal static class Provisioning
{
    private static readonly TimeSpan HelloDeadline = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ConfigureDeadline = TimeSpan.FromSeconds(60);

    /// <summary>Each side proves itself with the token.</summary>
    public static Task<HelloPayload> HelloAsync(ControlClient guest, string token, CancellationToken cancellationToken) => guest.HelloAsync(
        new HelloPayload { Protocol = HelloPayload.CurrentProtocol, Version = SupervisorVersion.Text, Token = token, Capabilities = [OomPayload.Capability] },
        HelloDeadline,
        cancellationToken);

    /// <summary>Settings of a new start, or of one made ahead of need.</summary>
    public static Task ConfigureAsync(ControlClient guest, SupervisorSpec spec, CancellationToken cancellationToken) => guest.ConfigureAsync(
        new ConfigurePayload
        {
            Env = spec.Env,
            DefaultUser = spec.DefaultUser,
            DefaultCwd = spec.DefaultCwd,
            Nameservers = spec.Network.Nameservers,
            CaCertificates = spec.CaCertificates,
        },
        ConfigureDeadline,
        cancellationToken);

    /// <summary>A copy of another sandbox: whoever talks to both must be able to tell them apart, and their random numbers must differ.</summary>
    public static Task RenewAsync(ControlClient guest, string machineId, CancellationToken cancellationToken) =>
        ResumedAsync(guest, new ResumedPayload { MachineId = machineId, Entropy = Entropy() }, cancellationToken);

    /// <summary>Brought back with its memory: time, randomness, token and boot id are new; in another sandbox the identity too, and the secrets stay behind. Returns the boot id.</summary>
    public static async Task<string> BroughtBackAsync(ControlClient guest, SupervisorSpec spec, string token, CancellationToken cancellationToken)
    {
        var bootId = Guid.NewGuid().ToString("N");
        var news = new ResumedPayload
        {
            UnixTimeMs = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(),
            MachineId = spec.NewMachineId,
            Entropy = Entropy(),
            Nameservers = spec.Network.Nameservers,
            Token = token,
            BootId = bootId,
            ForgetSecrets = spec.NewMachineId is not null,
        };
        await ResumedAsync(guest, news, cancellationToken).ConfigureAwait(false);
        return bootId;
    }

    private static Task ResumedAsync(ControlClient guest, ResumedPayload news, CancellationToken cancellationToken) =>
        guest.RequestAckAsync(ControlType.Resumed, news, GuestJson.Default.ResumedPayload, ConfigureDeadline, cancellationToken);

    private static string Entropy() => Convert.ToBase64String(KernelRandom.Bytes(64));
}
