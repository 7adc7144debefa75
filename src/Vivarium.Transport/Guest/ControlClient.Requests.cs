using System.Text.Json;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Transport.Guest;

/// <summary>The requests, one method each. A null timeout means <see cref="DefaultTimeout"/>.</summary>
public sealed partial class ControlClient
{
    private static readonly TimeSpan ReadyPollInterval = TimeSpan.FromMilliseconds(50);

    /// <summary><c>ping</c>.</summary>
    public async Task PingAsync(TimeSpan? timeout, CancellationToken cancellationToken)
    {
        var answer = await SendAsync(ControlType.Ping, null, timeout, cancellationToken).ConfigureAwait(false);
        if (answer.Type != ControlType.Pong)
            throw new VivariumException(ErrorCode.Internal, $"the guest answered ping with {answer.Type}", reason: "bad_answer");
    }

    /// <summary><c>hello</c>: proves the token both ways.</summary>
    /// <exception cref="VivariumException">unauthenticated: the guest refused ours, or its own is another one: a wrong machine.</exception>
    public async Task<HelloPayload> HelloAsync(HelloPayload hello, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        var answer = await RequestAsync(
            ControlType.Hello, JsonSerializer.SerializeToElement(hello, GuestJson.Default.HelloPayload), ControlType.Hello, GuestJson.Default.HelloPayload, timeout, cancellationToken).ConfigureAwait(false);
        return SameToken(answer.Token, hello.Token)
            ? answer
            : throw new VivariumException(ErrorCode.Unauthenticated, "the guest that answered is not the one that was started: its token is another one", reason: "wrong_guest");
    }

    /// <summary><c>configure</c>.</summary>
    public Task ConfigureAsync(ConfigurePayload configuration, TimeSpan? timeout, CancellationToken cancellationToken) =>
        RequestAckAsync(ControlType.Configure, configuration, GuestJson.Default.ConfigurePayload, timeout, cancellationToken);

    /// <summary><c>get_health</c>.</summary>
    public Task<HealthPayload> GetHealthAsync(TimeSpan? timeout, CancellationToken cancellationToken) =>
        RequestAsync(ControlType.GetHealth, null, ControlType.Health, GuestJson.Default.HealthPayload, timeout, cancellationToken);

    /// <summary><c>stats</c>.</summary>
    public Task<GuestStats> GetStatsAsync(TimeSpan? timeout, CancellationToken cancellationToken) =>
        RequestAsync(ControlType.Stats, null, ControlType.Stats, GuestJson.Default.GuestStats, timeout, cancellationToken);

    /// <summary><c>processes</c>.</summary>
    public Task<ProcessesPayload> GetProcessesAsync(TimeSpan? timeout, CancellationToken cancellationToken) =>
        RequestAsync(ControlType.Processes, null, ControlType.Processes, GuestJson.Default.ProcessesPayload, timeout, cancellationToken);

    /// <summary><c>listeners</c>.</summary>
    public Task<ListenersPayload> GetListenersAsync(TimeSpan? timeout, CancellationToken cancellationToken) =>
        RequestAsync(ControlType.Listeners, null, ControlType.Listeners, GuestJson.Default.ListenersPayload, timeout, cancellationToken);

    /// <summary><c>kill_process</c>.</summary>
    public Task KillProcessAsync(KillProcessPayload kill, TimeSpan? timeout, CancellationToken cancellationToken) =>
        RequestAckAsync(ControlType.KillProcess, kill, GuestJson.Default.KillProcessPayload, timeout, cancellationToken);

    /// <summary><c>set_config</c>.</summary>
    public Task SetConfigAsync(string content, TimeSpan? timeout, CancellationToken cancellationToken) =>
        RequestAckAsync(ControlType.SetConfig, new SetConfigPayload { Content = content }, GuestJson.Default.SetConfigPayload, timeout, cancellationToken);

    /// <summary><c>inject_secret</c>.</summary>
    public Task InjectSecretAsync(InjectSecretPayload secret, TimeSpan? timeout, CancellationToken cancellationToken) =>
        RequestAckAsync(ControlType.InjectSecret, secret, GuestJson.Default.InjectSecretPayload, timeout, cancellationToken);

    /// <summary><c>inject_ssh_key</c>.</summary>
    public Task InjectSshKeyAsync(InjectSshKeyPayload key, TimeSpan? timeout, CancellationToken cancellationToken) =>
        RequestAckAsync(ControlType.InjectSshKey, key, GuestJson.Default.InjectSshKeyPayload, timeout, cancellationToken);

    /// <summary><c>mount</c>.</summary>
    public Task MountAsync(MountPayload mount, TimeSpan? timeout, CancellationToken cancellationToken) =>
        RequestAckAsync(ControlType.Mount, mount, GuestJson.Default.MountPayload, timeout, cancellationToken);

    /// <summary><c>shutdown</c>: the guest answers first and then goes.</summary>
    public Task ShutdownAsync(string? reason, TimeSpan? timeout, CancellationToken cancellationToken) =>
        RequestAckAsync(ControlType.Shutdown, new ShutdownPayload { Reason = reason }, GuestJson.Default.ShutdownPayload, timeout, cancellationToken);

    /// <summary>A request without payload that is answered by <c>ack</c>, for example <c>quiesce</c> and <c>thaw</c>.</summary>
    public async Task RequestAckAsync(string type, TimeSpan? timeout, CancellationToken cancellationToken) =>
        CheckAck(type, await SendAsync(type, null, timeout, cancellationToken).ConfigureAwait(false));

    /// <summary>
    /// Asks for the guest's health until it is <c>ready</c> or <c>healthy</c>, with a new connection whenever one breaks or does not answer.
    /// </summary>
    /// <param name="connect">Opens a stream to the control port.</param>
    /// <param name="deadline">How long the guest may take in all.</param>
    /// <param name="clock">Clock of the waits.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VivariumException">failed_precondition: the guest is shutting down; deadline_exceeded, with the last thing that was wrong as its cause.</exception>
    public static async Task<HealthPayload> WaitForReadyAsync(
        Func<CancellationToken, ValueTask<DuplexStream>> connect, TimeSpan deadline, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(deadline, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        Exception? last = null;
        while (true)
        {
            try
            {
                await using var client = new ControlClient(await connect(either.Token).ConfigureAwait(false), clock);
                while (true)
                {
                    var health = await client.GetHealthAsync(null, either.Token).ConfigureAwait(false);
                    if (health.State is "ready" or "healthy")
                        return health;
                    if (health.State == "shutdown")
                        throw new VivariumException(ErrorCode.FailedPrecondition, "the guest is shutting down", reason: "guest_shutdown");
                    last = new VivariumException(ErrorCode.Unavailable, $"the guest is {health.State}");
                    await Task.Delay(ReadyPollInterval, clock, either.Token).ConfigureAwait(false);
                }
            }
            catch (Exception e) when (e is IOException or VivariumException { Code: not ErrorCode.FailedPrecondition })
            {
                last = e;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw NotReady(deadline, last);
            }

            try
            {
                await Task.Delay(ReadyPollInterval, clock, either.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw NotReady(deadline, last);
            }
        }
    }

    private static VivariumException NotReady(TimeSpan deadline, Exception? last) => new(
        ErrorCode.DeadlineExceeded, $"the guest was not ready within {deadline.TotalSeconds:0.#} s: {last?.Message ?? "it did not answer"}", reason: "guest_not_ready", inner: last);

    private static bool SameToken(string one, string other) => System.Security.Cryptography.CryptographicOperations.FixedTimeEquals(
        System.Text.Encoding.UTF8.GetBytes(one), System.Text.Encoding.UTF8.GetBytes(other));
}
