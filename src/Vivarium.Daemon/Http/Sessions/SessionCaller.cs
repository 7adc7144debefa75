using Vivarium.Wire.Errors;

namespace Vivarium.Daemon.Http.Sessions;

/// <summary>Who calls: everybody the service's own token was given to, or a program that was given one session.</summary>
/// <param name="Only">Id of the one sandbox the caller may see; null: all.</param>
internal sealed record SessionCaller(string? Only)
{
    /// <summary>Refuses who was given one session only.</summary>
    public void RequireAll(string what)
    {
        if (Only is not null)
        {
            throw Denied(what);
        }
    }

    /// <summary>The refusal; it does not tell whether the session exists.</summary>
    public static VivariumException Denied(string what) => new(
        ErrorCode.PermissionDenied, $"{what}: the token is for one session only, and this is not it", "Use the service's own token, or the session the token was made for.", "wrong_session");
}
