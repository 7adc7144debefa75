using Vivarium.Wire.Errors;

namespace Vivarium.Daemon.Http.Connect;

/// <summary>What a service asks of a request before its body is looked at, and what it does with the outcome.</summary>
internal interface IConnectPolicy
{
    /// <summary>Sets headers that every answer has.</summary>
    void Stamp(HttpResponse response);

    /// <summary>Says who calls.</summary>
    /// <exception cref="VivariumException">unauthenticated, or a version that is not served.</exception>
    object Admit(HttpRequest request);

    /// <summary>The error an exception becomes; every one has an operation id that is also in the log.</summary>
    ErrorInfo Explain(string method, Exception exception);

    /// <summary>Told the end of every call that reached a method.</summary>
    void Served(string method, TimeSpan took, string code);
}
