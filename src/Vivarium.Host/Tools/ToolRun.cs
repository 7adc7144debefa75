using Vivarium.Configuration.Sections;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Supervision;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tools;

/// <summary>One run of a tool: where, with what, and where its output goes meanwhile.</summary>
/// <param name="Sandbox">The sandbox.</param>
/// <param name="Link">The way into it.</param>
/// <param name="Arguments">Checked arguments.</param>
/// <param name="Limits">Limits in force.</param>
/// <param name="Tag">Name of its process in the guest; the same for a repeat of the same call, so that one daemon finds what another began. Null without a call id.</param>
/// <param name="Progress">Takes output while it comes.</param>
internal sealed record ToolRun(Sandbox Sandbox, SupervisorLink Link, ToolArguments Arguments, ToolsConfig Limits, string? Tag, Action<ToolProgress> Progress)
{
    /// <summary>A path as the sandbox means it: relative ones begin in its working directory, for files as for commands.</summary>
    public string Path(string path) => Sandbox.Record.Workdir is { Length: > 0 } workdir && !path.StartsWith('/') && !path.StartsWith('~')
        ? path == "." ? workdir : workdir.TrimEnd('/') + "/" + path
        : path;
}
