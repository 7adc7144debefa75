using Vivarium.Cli.Daemon;
using Vivarium.Cli.Output;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Parsing;

/// <summary>Does the same to several sandboxes: one failing does not keep the others from their turn.</summary>
internal static class References
{
    /// <summary>All references, or with <paramref name="all"/> those of every sandbox.</summary>
    public static IReadOnlyList<string> Resolve(HostConnection host, string[]? words, bool all, params string[] states)
    {
        if (all == words is { Length: > 0 })
        {
            throw all
                ? Invocation.Usage("--all and names contradict each other")
                : Invocation.Usage("name at least one sandbox", "'viv ls' lists them; --all means every one");
        }

        if (!all)
        {
            return [.. words!.Distinct()];
        }

        var list = host.Call(HostMethod.List, new ListParams { States = states.Length > 0 ? states : null }, HostJson.Default.ListParams, HostJson.Default.SandboxList);
        return [.. list.Sandboxes.Select(sandbox => sandbox.Name)];
    }

    /// <summary>Runs the action for each; the exit code is 0, or 125 when one failed.</summary>
    public static int ForEach(IReadOnlyList<string> references, Invocation call, Action<string> action)
    {
        if (references.Count == 1)
        {
            action(references[0]);
            return 0;
        }

        var code = 0;
        foreach (var reference in references)
        {
            try
            {
                action(reference);
            }
            catch (Exception e) when (e is RemoteException or VivariumException)
            {
                ErrorPrinter.Print(App.Describe(e), call.Json, call.Output, call.Messages);
                code = App.OwnFailure;
            }
        }

        return code;
    }
}
