using Vivarium.Daemon.Http.Connect;
using Vivarium.Host;
using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Sessions;

namespace Vivarium.Daemon.Http.Sessions;

/// <summary>The methods of the session service, one file per area. They translate and delegate; the domain decides.</summary>
internal sealed partial class SessionMethods(VivariumHost host, SessionTokens tokens, int maxMessage, Func<TimeSpan> uptime)
{
    private readonly SessionDirectory directory = new(host);
    private readonly SessionView view = new(host);

    private SandboxWorkflows Workflows => host.Workflows;

    /// <summary>Adds all of them.</summary>
    public void AddTo(ConnectService service)
    {
        AddSessions(service);
        AddTools(service);
        AddProcesses(service);
        AddSnapshots(service);
        AddSystem(service);
    }

    private void AddSessions(ConnectService service) => service
        .Unary(SessionMethod.CreateSession, SessionJson.Wire.CreateSessionRequest, SessionJson.Wire.CreateSessionResponse, CreateAsync)
        .Unary(SessionMethod.GetSession, SessionJson.Wire.SessionRequest, SessionJson.Wire.SessionResponse, async (p, call, token) =>
            await ShowAsync(await directory.GetAsync(call, p.SessionId, token).ConfigureAwait(false), token).ConfigureAwait(false))
        .Unary(SessionMethod.ListSessions, SessionJson.Wire.ListSessionsRequest, SessionJson.Wire.ListSessionsResponse, (p, call, _) => Task.FromResult(List(p, call)))
        .Unary(SessionMethod.PauseSession, SessionJson.Wire.SessionRequest, SessionJson.Wire.SessionResponse, (p, call, token) =>
            ChangeAsync(call, p.SessionId, s => Workflows.Pause.PauseAsync(s), token))
        .Unary(SessionMethod.ResumeSession, SessionJson.Wire.SessionRequest, SessionJson.Wire.SessionResponse, (p, call, token) =>
            ChangeAsync(call, p.SessionId, s => s.Record.State == SandboxState.Stopped ? Workflows.Stop.StartAsync(s) : Workflows.Pause.ResumeAsync(s), token))
        .Unary(SessionMethod.DestroySession, SessionJson.Wire.SessionRequest, SessionJson.Wire.EmptyResponse, async (p, call, token) =>
        {
            await directory.DestroyAsync(call, p.SessionId, token).ConfigureAwait(false);
            return new EmptyResponse();
        });

    private async Task<CreateSessionResponse> CreateAsync(CreateSessionRequest p, ConnectCall call, CancellationToken cancellationToken)
    {
        ((SessionCaller)call.Caller).RequireAll(call.Method);
        var wanted = Wanted(p);
        await RequireAsync(p, wanted, cancellationToken).ConfigureAwait(false);

        // It goes on when the caller stops waiting: ask for the session by the id that was given.
        var operation = Workflows.Create.Begin(wanted, callerPid: 0);
        await operation.Ended.WaitAsync(cancellationToken).ConfigureAwait(false);
        var record = await operation.Result.ConfigureAwait(false);
        var sandbox = host.Services.Catalog.FindExact(record.Id.Value) ?? throw new VivariumException(
            ErrorCode.Canceled, $"creating session {SessionView.Id(record)}: it was destroyed meanwhile", null, "destroyed");
        return new CreateSessionResponse
        {
            Session = await view.OfAsync(sandbox, cancellationToken).ConfigureAwait(false),
            ServerCapabilities = view.Capabilities(sandbox.Record),
            SessionToken = tokens.Of(record.Id),
        };
    }

    private static CreateParams Wanted(CreateSessionRequest p)
    {
        const long mebi = 1024 * 1024;
        return new CreateParams
        {
            ExternalId = Given(p.SessionId),
            Template = Given(p.BaseSnapshot),
            DiskBytes = p.Quota is 0 ? null : p.Quota,
            Labels = p.Labels,
            Cpus = p.Resources?.Cpus is 0 ? null : p.Resources?.Cpus,
            MemoryBytes = p.Resources?.MemMb is null or 0 ? null : p.Resources.MemMb is > 0 and < long.MaxValue / mebi ? p.Resources.MemMb * mebi : -1,
            Env = p.Env,
            Runtime = Given(p.Runtime),
            Network = Given(p.Network),
            TimeoutMs = SessionView.Milliseconds(p.Timeout),
            IdleTimeoutMs = SessionView.Milliseconds(p.IdleTimeout),
            OnTimeout = Given(p.OnTimeout),
        };
    }

    /// <summary>Looks at what the session must be able to do before anything is made.</summary>
    private async Task RequireAsync(CreateSessionRequest p, CreateParams wanted, CancellationToken cancellationToken)
    {
        if (p.RequiredCapabilities is not { } required)
        {
            return;
        }

        var lacks = new List<string>();
        if (required.Snapshots == true || required.Rollback == true)
        {
            var store = await host.Services.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
            if (!store.Capabilities.Snapshots)
            {
                lacks.Add($"snapshots (the volume store is {store.Name})");
            }
        }

        if (required.TierRouting == true && (wanted.Runtime ?? host.Services.Config.Defaults.Runtime) == "direct")
        {
            lacks.Add("tools inside a sandbox (the runtime is direct)");
        }

        if (lacks.Count > 0)
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition, $"creating a session: it could not have {string.Join(" and ", lacks)}; nothing has been made", "Ask Capabilities what there is.", "capability_missing");
        }
    }

    private ListSessionsResponse List(ListSessionsRequest p, ConnectCall call) => new()
    {
        Sessions =
        [
            .. directory.Visible(call).Where(s => SandboxView.Fits(s.Record, new ListParams { Labels = p.Labels })).Select(view.Of)
                .Where(s => p.States is not { Count: > 0 } states || states.Contains(s.State)),
        ],
    };

    private async Task<SessionResponse> ChangeAsync(ConnectCall call, string? sessionId, Func<Sandbox, Task> change, CancellationToken cancellationToken)
    {
        var sandbox = await directory.GetAsync(call, sessionId, cancellationToken).ConfigureAwait(false);

        // The change goes on when the caller stops waiting: its lifetime is the session's.
        await change(sandbox).WaitAsync(cancellationToken).ConfigureAwait(false);
        return await ShowAsync(sandbox, cancellationToken).ConfigureAwait(false);
    }

    private async Task<SessionResponse> ShowAsync(Sandbox sandbox, CancellationToken cancellationToken) =>
        new() { Session = await view.OfAsync(sandbox, cancellationToken).ConfigureAwait(false) };

    /// <summary>Old clients send an empty text for what they do not say.</summary>
    private static string? Given(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
