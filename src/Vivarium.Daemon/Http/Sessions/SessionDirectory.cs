using Vivarium.Daemon.Http.Connect;
using Vivarium.Host;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Daemon.Http.Sessions;

/// <summary>Finds the sandbox of a session. A session id is exact: the sandbox's id or the one its creator gave, never a name or a beginning. The only way from a call to a sandbox, so that no method forgets to ask who calls.</summary>
internal sealed class SessionDirectory(VivariumHost host)
{
    /// <summary>The session's sandbox, its state verified.</summary>
    /// <exception cref="VivariumException">invalid_argument, not_found, or permission_denied.</exception>
    public async Task<Sandbox> GetAsync(ConnectCall call, string? sessionId, CancellationToken cancellationToken)
    {
        var sandbox = Find(call, sessionId);
        return sandbox is null
            ? throw new VivariumException(ErrorCode.NotFound, $"there is no session {NameRules.Quote(sessionId!)}", "ListSessions names those there are.", "no_such_session")
            : await host.Access.GetAsync(sandbox.Record.Id.Value, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sandboxes the caller may see.</summary>
    public IEnumerable<Sandbox> Visible(ConnectCall call)
    {
        var only = ((SessionCaller)call.Caller).Only;
        return host.Services.Catalog.All().Where(s => only is null || s.Record.Id.Value == only);
    }

    /// <summary>Destroys; what is gone already is fine, what never was is not_found. Goes on when the caller leaves.</summary>
    public async Task DestroyAsync(ConnectCall call, string? sessionId, CancellationToken cancellationToken)
    {
        var reference = Find(call, sessionId)?.Record.Id.Value;
        if (reference is null && !host.Services.Table.WasKnown(sessionId!))
        {
            throw new VivariumException(ErrorCode.NotFound, $"there is no session {NameRules.Quote(sessionId!)}", "ListSessions names those there are.", "no_such_session");
        }

        if (reference is not null)
        {
            await host.Access.DestroyAsync(new DestroyParams { Ref = reference, Force = true, Now = true }, cancellationToken).ConfigureAwait(false);
        }
    }

    private Sandbox? Find(ConnectCall call, string? sessionId)
    {
        if (string.IsNullOrEmpty(sessionId))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"{call.Method}: SessionID is required", null, "missing_field");
        }

        var sandbox = host.Services.Catalog.FindExact(sessionId);
        var only = ((SessionCaller)call.Caller).Only;
        return only is null || sandbox?.Record.Id.Value == only || (sandbox is null && sessionId == only) ? sandbox : throw SessionCaller.Denied(call.Method);
    }
}
