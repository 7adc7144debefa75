using System.Globalization;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Cli.Output;

/// <summary>The tables people read; each has a golden file.</summary>
internal static class Tables
{
    public static Table Sandboxes(IReadOnlyList<SandboxInfo> sandboxes, TimeProvider clock)
    {
        var table = new Table("NAME", "ID", "STATE", "RUNTIME", "TEMPLATE", "CPUS", "MEMORY", "AGE", "EXPIRES");
        foreach (var sandbox in sandboxes)
        {
            var state = sandbox is { Reason: { } reason, State: SandboxState.Failed or SandboxState.Stopped }
                ? new Cell($"{sandbox.State} ({reason})", Style.ForState(sandbox.State))
                : Cell.State(sandbox.State);
            table.Add(
                sandbox.Name,
                sandbox.Id,
                state,
                sandbox.Isolated ? new Cell(sandbox.Runtime) : new Cell(sandbox.Runtime + " (NOT ISOLATED)", Style.Bad),
                sandbox.Template,
                Humanize.Number(sandbox.Resources.Cpus),
                Humanize.Bytes(sandbox.Resources.MemoryBytes),
                Humanize.Since(sandbox.CreatedUnixMs, clock),
                sandbox.ExpiresUnixMs is { } expires ? Humanize.Age(DateTimeOffset.FromUnixTimeMilliseconds(expires) - clock.GetUtcNow()) : "-");
        }

        return table;
    }

    public static Table Processes(IReadOnlyList<ProcessInfo> processes, TimeProvider clock)
    {
        var table = new Table("PID", "STATUS", "USER", "AGE", "TREE", "TTY", "TAG", "COMMAND");
        foreach (var process in processes)
        {
            table.Add(
                process.Pid.ToString(System.Globalization.CultureInfo.InvariantCulture),
                new Cell(Status(process), Style.ForState(process.Status)),
                process.User,
                Humanize.Since(process.StartedUnixMs, clock),
                process.TreeSize.ToString(System.Globalization.CultureInfo.InvariantCulture),
                process.Tty ? "yes" : "-",
                process.Tag ?? process.Id ?? "-",
                Humanize.Command(process.Argv));
        }

        return table;
    }

    public static Table Published(IReadOnlyList<PublishedPort> ports)
    {
        var table = new Table("GUEST", "HOST");
        foreach (var port in ports)
        {
            table.Add(port.GuestPort.ToString(CultureInfo.InvariantCulture), PortText.HostOf(port));
        }

        return table;
    }

    /// <summary>Every listener, and what is published although nothing listens.</summary>
    public static Table Ports(SandboxPorts ports)
    {
        var table = new Table("PORT", "PROTOCOL", "ADDRESS", "PID", "PROCESS", "PUBLISHED AT");
        foreach (var listener in ports.Listeners)
        {
            var published = listener.Protocol == "tcp" ? ports.Published.Where(port => port.GuestPort == listener.Port).Select(PortText.HostOf) : [];
            table.Add(
                listener.Port.ToString(CultureInfo.InvariantCulture),
                listener.Protocol,
                listener.Address,
                listener.Pid?.ToString(CultureInfo.InvariantCulture) ?? "?",
                listener.Process ?? "?",
                string.Join(", ", published.DefaultIfEmpty("-")));
        }

        foreach (var port in ports.Published.Where(port => !ports.Listeners.Any(listener => listener.Protocol == "tcp" && listener.Port == port.GuestPort)))
        {
            table.Add(port.GuestPort.ToString(CultureInfo.InvariantCulture), "tcp", "-", "-", "(nothing listens)", PortText.HostOf(port));
        }

        return table;
    }

    public static Table Templates(IReadOnlyList<TemplateInfo> templates, TimeProvider clock)
    {
        var table = new Table("NAME", "DIGEST", "STATUS", "SIZE", "FILES", "USED BY", "AGE", "DESCRIPTION");
        foreach (var template in templates)
        {
            var built = template.Status == "ready";
            table.Add(
                template.Name ?? "-",
                built && template.Digest.Length > 19 ? template.Digest[7..19] : "-",
                Cell.State(template.Status),
                built ? Humanize.Bytes(template.SizeBytes) : "-",
                built ? template.Entries.ToString(System.Globalization.CultureInfo.InvariantCulture) : "-",
                template.References.ToString(System.Globalization.CultureInfo.InvariantCulture),
                built ? Humanize.Since(template.CreatedUnixMs, clock) : "-",
                template.Description);
        }

        return table;
    }

    private static string Status(ProcessInfo process) => process.Exit is not { } exit ? process.Status
        : exit.Oom == true ? "exited (out of memory)"
        : exit.TimedOut == true ? "exited (timed out)"
        : exit.Signal is { } signal ? $"exited (signal {signal})"
        : $"exited ({exit.Code})";
}
