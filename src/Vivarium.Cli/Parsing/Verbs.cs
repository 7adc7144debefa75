using Vivarium.Cli.Commands;

namespace Vivarium.Cli.Parsing;

/// <summary>Every verb there is, in the order of the help.</summary>
internal static class Verbs
{
    private const string Sandboxes = "Sandboxes";
    private const string Snapshots = "Snapshots";
    private const string Inside = "Inside a sandbox";
    private const string Looking = "Looking";
    private const string Service = "The service";

    public static IReadOnlyList<VerbEntry> All { get; } =
    [
        new(Sandboxes, "run", "a command in a fresh sandbox, removed at the end", RunCommand.Make),
        new(Sandboxes, "create", "a sandbox that stays", CreateCommand.Make),
        new(Sandboxes, "ls", "list sandboxes", ListCommand.Make) { Aliases = ["list"] },
        new(Sandboxes, "show", "everything about a sandbox", ShowCommand.Make) { Aliases = ["inspect"] },
        new(Sandboxes, "rm", "remove sandboxes", RemoveCommand.Make) { Aliases = ["remove"] },
        new(Sandboxes, "prune", "remove all stopped and failed ones", PruneCommand.Make),
        new(Sandboxes, "stop", "stop in order, keep the files", StopCommand.Make),
        new(Sandboxes, "start", "start stopped ones", StartCommand.Make),
        new(Sandboxes, "restart", "stop and start", RestartCommand.Make),
        new(Sandboxes, "pause", "freeze", PauseCommand.Make),
        new(Sandboxes, "resume", "thaw", ResumeCommand.Make),
        new(Sandboxes, "set", "change limits, timeouts, labels, network", SetCommand.Make),
        new(Snapshots, "snapshot", "keep a sandbox as it is now", SnapshotCommand.Make),
        new(Snapshots, "snapshots", "the tree of them", SnapshotsCommand.Make),
        new(Snapshots, "turn", "complete a turn of an agent", TurnCommand.Make),
        new(Snapshots, "diff", "what changed", DiffCommand.Make),
        new(Snapshots, "rollback", "go back to a snapshot", RollbackCommand.Make),
        new(Snapshots, "fork", "new sandboxes from another's files", ForkCommand.Make),
        new(Inside, "exec", "a command in a running sandbox", ExecCommand.Make),
        new(Inside, "shell", "a login shell in a running sandbox", ShellCommand.Make),
        new(Inside, "cp", "copy files and folders, either way", CopyCommand.Make),
        new(Inside, "ps", "processes", ProcessesCommand.Make),
        new(Inside, "kill", "signal processes", KillCommand.Make),
        new(Inside, "logs", "console, or output of background processes", LogsCommand.Make),
        new(Inside, "attach", "join a running process", AttachCommand.Make),
        new(Inside, "port", "publish a port of a sandbox on this machine", PortCommand.Make),
        new(Inside, "tool", "what agents call: ls, call", ToolCommand.Make),
        new(Inside, "ports", "what listens in a sandbox, and what is published", PortsCommand.Make),
        new(Looking, "stats", "what sandboxes use", StatsCommand.Make),
        new(Looking, "top", "what sandboxes use, live", TopCommand.Make),
        new(Looking, "events", "what happened and happens", EventsCommand.Make),
        new(Looking, "health", "what is not well now", HealthCommand.Make),
        new(Looking, "doctor", "what this machine can do", DoctorCommand.Make),
        new(Service, "template", "root filesystems: ls, show, build, import, export, rm", TemplateCommand.Make),
        new(Service, "pool", "where files live: show, grow, check", PoolCommand.Make),
        new(Service, "daemon", "run, start, stop, restart, status", DaemonCommand.Make),
        new(Service, "install", "set this machine up: programs, service, group, completion", InstallCommand.Make),
        new(Service, "uninstall", "take that away again", UninstallCommand.Make),
        new(Service, "config", "show, dump, check, path", ConfigCommand.Make),
        new(Service, "completion", "completion for bash, zsh and fish", CompletionCommand.Make),
        new(Service, "version", "versions of viv and the daemon", VersionCommand.Make),
    ];

    public static VerbEntry? Find(string name)
    {
        foreach (var verb in All)
        {
            if (verb.Name == name || verb.Aliases.Contains(name))
            {
                return verb;
            }
        }

        return null;
    }
}
