namespace Vivarium.Daemon.Http.Connect;

/// <summary>One call, once its caller is known.</summary>
/// <param name="Method">Name of the method.</param>
/// <param name="Caller">Who calls, as <see cref="IConnectPolicy.Admit"/> said.</param>
internal sealed record ConnectCall(string Method, object Caller);
