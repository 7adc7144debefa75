using Vivarium.Configuration.Sections;
using Vivarium.Configuration.Values;

namespace Vivarium.Configuration.Schema;

/// <summary>Every key there is. A new one needs a line here and a property in its section's record.</summary>
internal static class ConfigSchema
{
    public const string VariablePrefix = "VIVARIUM_";

    private static readonly ByteSize MaxSize = new(1L << 60);

    public static IReadOnlyList<ConfigKey> Keys { get; } =
    [
        new("paths", "state", new TextType(ConfigChecks.AbsolutePath), "Directory of what must survive a reboot: database, pool, logs.",
            c => c.Paths.State, (c, v) => c with { Paths = c.Paths with { State = (string)v! } }),
        new("paths", "runtime", new TextType(ConfigChecks.RuntimePath), "Directory of sockets and of what dies with the machine.",
            c => c.Paths.Runtime, (c, v) => c with { Paths = c.Paths with { Runtime = (string)v! } }),

        new("daemon", "socket_group", new TextType(ConfigChecks.Line), "Group that may use the daemon's socket; empty: root only.",
            c => c.Daemon.SocketGroup, (c, v) => c with { Daemon = c.Daemon with { SocketGroup = (string)v! } }),
        new("daemon", "log_level", new ChoiceType("trace", "debug", "info", "warn", "error"), "Least important messages logged.",
            c => c.Daemon.LogLevel, (c, v) => c with { Daemon = c.Daemon with { LogLevel = (string)v! } }),
        new("daemon", "log_format", new ChoiceType("text", "json"), "Form of the log.",
            c => c.Daemon.LogFormat, (c, v) => c with { Daemon = c.Daemon with { LogFormat = (string)v! } }),

        new("defaults", "runtime", new ChoiceType("auto", "container", "gvisor", "vm", "direct"), "Isolation of a new sandbox.",
            c => c.Defaults.Runtime, (c, v) => c with { Defaults = c.Defaults with { Runtime = (string)v! } }),
        new("defaults", "template", new TextType(ConfigChecks.Required), "Template of a new sandbox, by name or digest.",
            c => c.Defaults.Template, (c, v) => c with { Defaults = c.Defaults with { Template = (string)v! } }),
        new("defaults", "cpus", new NumberType(0.01, 1024), "CPUs of a new sandbox.",
            c => c.Defaults.Cpus, (c, v) => c with { Defaults = c.Defaults with { Cpus = (double)v! } }),
        new("defaults", "memory", new SizeType(ByteSize.FromMiB(16), MaxSize), "Memory of a new sandbox.",
            c => c.Defaults.Memory, (c, v) => c with { Defaults = c.Defaults with { Memory = (ByteSize)v! } }),
        new("defaults", "pids", new IntegerType(16, 4_194_304), "Processes and threads of a new sandbox.",
            c => c.Defaults.Pids, (c, v) => c with { Defaults = c.Defaults with { Pids = (int)v! } }),
        new("defaults", "disk", new SizeType(ByteSize.FromMiB(1), MaxSize, optional: true), "Disk space of a new sandbox; empty: no limit.",
            c => c.Defaults.Disk, (c, v) => c with { Defaults = c.Defaults with { Disk = (ByteSize?)v } }),
        new("defaults", "network", new ChoiceType("none", "nat"), "Network of a new sandbox.",
            c => c.Defaults.Network, (c, v) => c with { Defaults = c.Defaults with { Network = (string)v! } }),
        new("defaults", "timeout", new DurationType(), "Life of a new sandbox; empty: no limit.",
            c => c.Defaults.Timeout, (c, v) => c with { Defaults = c.Defaults with { Timeout = (TimeSpan?)v } }),
        new("defaults", "idle_timeout", new DurationType(), "Life of a new sandbox without activity; empty: no limit.",
            c => c.Defaults.IdleTimeout, (c, v) => c with { Defaults = c.Defaults with { IdleTimeout = (TimeSpan?)v } }),
        new("defaults", "on_timeout", new ChoiceType("kill", "pause"), "What happens to a sandbox when its time is up.",
            c => c.Defaults.OnTimeout, (c, v) => c with { Defaults = c.Defaults with { OnTimeout = (string)v! } }),
        new("defaults", "user", new TextType(ConfigChecks.Line), "User of processes; empty: the template's.",
            c => c.Defaults.User, (c, v) => c with { Defaults = c.Defaults with { User = (string)v! } }),

        new("limits", "max_sandboxes", new IntegerType(1, 100_000), "Sandboxes that may exist at once.",
            c => c.Limits.MaxSandboxes, (c, v) => c with { Limits = c.Limits with { MaxSandboxes = (int)v! } }),
        new("limits", "max_cpus", new NumberType(0.01, 1024, optional: true), "CPUs one sandbox may have; empty: no limit.",
            c => c.Limits.MaxCpus, (c, v) => c with { Limits = c.Limits with { MaxCpus = (double?)v } }),
        new("limits", "max_memory", new SizeType(ByteSize.FromMiB(16), MaxSize, optional: true), "Memory one sandbox may have; empty: no limit.",
            c => c.Limits.MaxMemory, (c, v) => c with { Limits = c.Limits with { MaxMemory = (ByteSize?)v } }),
        new("limits", "max_pids", new IntegerType(16, 4_194_304, optional: true), "Processes and threads one sandbox may have; empty: no limit.",
            c => c.Limits.MaxPids, (c, v) => c with { Limits = c.Limits with { MaxPids = (int?)v } }),
        new("limits", "max_timeout", new DurationType(), "Longest life of a sandbox; empty: no limit.",
            c => c.Limits.MaxTimeout, (c, v) => c with { Limits = c.Limits with { MaxTimeout = (TimeSpan?)v } }),
        new("limits", "max_turn_snapshots", new IntegerType(1, 100_000), "Turn snapshots kept of one sandbox; the oldest go first.",
            c => c.Limits.MaxTurnSnapshots, (c, v) => c with { Limits = c.Limits with { MaxTurnSnapshots = (int)v! } }),
        new("limits", "max_tool_snapshots", new IntegerType(1, 100_000), "Tool snapshots kept of one sandbox; the oldest go first.",
            c => c.Limits.MaxToolSnapshots, (c, v) => c with { Limits = c.Limits with { MaxToolSnapshots = (int)v! } }),

        new("tools", "timeout", new DurationType(), "Time of a tool call that asks for none.",
            c => c.Tools.Timeout, (c, v) => c with { Tools = c.Tools with { Timeout = (TimeSpan?)v ?? new ToolsConfig().Timeout } }),
        new("tools", "max_timeout", new DurationType(), "Most time a tool call may ask for.",
            c => c.Tools.MaxTimeout, (c, v) => c with { Tools = c.Tools with { MaxTimeout = (TimeSpan?)v ?? new ToolsConfig().MaxTimeout } }),
        new("tools", "git_timeout", new DurationType(), "Time of a git tool call that asks for none.",
            c => c.Tools.GitTimeout, (c, v) => c with { Tools = c.Tools with { GitTimeout = (TimeSpan?)v ?? new ToolsConfig().GitTimeout } }),
        new("tools", "max_output", new SizeType(new ByteSize(1024), ByteSize.FromMiB(10)), "Bytes kept of each output stream of a tool; more is cut in the middle.",
            c => c.Tools.MaxOutput, (c, v) => c with { Tools = c.Tools with { MaxOutput = (ByteSize)v! } }),
        new("tools", "read_lines", new IntegerType(1, 1_000_000), "Lines read_file gives when not asked for another number.",
            c => c.Tools.ReadLines, (c, v) => c with { Tools = c.Tools with { ReadLines = (int)v! } }),
        new("tools", "read_characters", new IntegerType(1, 1_000_000), "Characters read_file gives of a line.",
            c => c.Tools.ReadCharacters, (c, v) => c with { Tools = c.Tools with { ReadCharacters = (int)v! } }),
        new("tools", "snapshots", new FlagType(), "Whether a snapshot is taken after every tool that may change files.",
            c => c.Tools.Snapshots, (c, v) => c with { Tools = c.Tools with { Snapshots = (bool)v! } }),
        new("tools", "pause_drain", new DurationType(), "How long pausing waits for running tools.",
            c => c.Tools.PauseDrain, (c, v) => c with { Tools = c.Tools with { PauseDrain = (TimeSpan?)v ?? new ToolsConfig().PauseDrain } }),

        new("processes", "advertise", new TextType(ConfigChecks.OwnAddress), "Address of this host that exposed ports of launched processes are published at.",
            c => c.Processes.Advertise, (c, v) => c with { Processes = c.Processes with { Advertise = (string)v! } }),
        new("processes", "keep", new IntegerType(0, 10_000), "Ended launched processes remembered of one sandbox.",
            c => c.Processes.Keep, (c, v) => c with { Processes = c.Processes with { Keep = (int)v! } }),
        new("processes", "keep_for", new DurationType(), "How long they are remembered.",
            c => c.Processes.KeepFor, (c, v) => c with { Processes = c.Processes with { KeepFor = (TimeSpan?)v ?? new ProcessesConfig().KeepFor } }),

        new("runtime", "allow_direct", new FlagType(), "Whether sandboxes without any isolation may be made.",
            c => c.Runtime.AllowDirect, (c, v) => c with { Runtime = c.Runtime with { AllowDirect = (bool)v! } }),
        new("runtime", "runc", new TextType(ConfigChecks.Program), "Program runc; empty: found in PATH.",
            c => c.Runtime.Runc, (c, v) => c with { Runtime = c.Runtime with { Runc = (string)v! } }),
        new("runtime", "crun", new TextType(ConfigChecks.Program), "Program crun; empty: found in PATH.",
            c => c.Runtime.Crun, (c, v) => c with { Runtime = c.Runtime with { Crun = (string)v! } }),
        new("runtime", "runsc", new TextType(ConfigChecks.Program), "Program runsc; empty: found in PATH.",
            c => c.Runtime.Runsc, (c, v) => c with { Runtime = c.Runtime with { Runsc = (string)v! } }),
        new("runtime", "guest_agent", new TextType(ConfigChecks.OptionalPath), "Program viv-guest; empty: beside the daemon.",
            c => c.Runtime.GuestAgent, (c, v) => c with { Runtime = c.Runtime with { GuestAgent = (string)v! } }),
        new("runtime", "supervisor", new TextType(ConfigChecks.OptionalPath), "Program viv-supervisor; empty: beside the daemon.",
            c => c.Runtime.Supervisor, (c, v) => c with { Runtime = c.Runtime with { Supervisor = (string)v! } }),
        new("runtime", "cgroup_root", new TextType(ConfigChecks.CgroupPath), "Cgroup that everything of this daemon lives in.",
            c => c.Runtime.CgroupRoot, (c, v) => c with { Runtime = c.Runtime with { CgroupRoot = (string)v! } }),
        new("runtime", "user_namespaces", new ChoiceType("auto", "on", "off"), "Whether sandboxes get a user namespace of their own.",
            c => c.Runtime.UserNamespaces, (c, v) => c with { Runtime = c.Runtime with { UserNamespaces = (string)v! } }),

        new("pool", "store", new ChoiceType("auto", "btrfs", "local-disk"), "How volumes are kept.",
            c => c.Pool.Store, (c, v) => c with { Pool = c.Pool with { Store = (string)v! } }),
        new("pool", "size", new SizeType(ByteSize.FromMiB(256), MaxSize), "Size of the sparse pool file when one is made.",
            c => c.Pool.Size, (c, v) => c with { Pool = c.Pool with { Size = (ByteSize)v! } }),
        new("pool", "path", new TextType(ConfigChecks.OptionalPath), "Directory of the pool; empty: below the state directory.",
            c => c.Pool.Path, (c, v) => c with { Pool = c.Pool with { Path = (string)v! } }),

        new("warm_pool", "enabled", new FlagType(), "Whether ready sandboxes are kept for shapes lately used.",
            c => c.WarmPool.Enabled, (c, v) => c with { WarmPool = c.WarmPool with { Enabled = (bool)v! } }),
        new("warm_pool", "per_shape", new IntegerType(1, 64), "Ready sandboxes of each shape: template, runtime, CPUs, memory, processes.",
            c => c.WarmPool.PerShape, (c, v) => c with { WarmPool = c.WarmPool with { PerShape = (int)v! } }),
        new("warm_pool", "max", new IntegerType(1, 1000), "Ready sandboxes in all.",
            c => c.WarmPool.Max, (c, v) => c with { WarmPool = c.WarmPool with { Max = (int)v! } }),
        new("warm_pool", "keep", new DurationType(), "How long after its last use a shape is kept ready.",
            c => c.WarmPool.Keep, (c, v) => c with { WarmPool = c.WarmPool with { Keep = (TimeSpan?)v ?? TimeSpan.FromDays(3650) } }),
        new("warm_pool", "min_free_memory", new SizeType(new ByteSize(0), MaxSize), "Available memory of the machine below which no ready sandboxes are kept.",
            c => c.WarmPool.MinFreeMemory, (c, v) => c with { WarmPool = c.WarmPool with { MinFreeMemory = (ByteSize)v! } }),

        new("logs", "max_bytes", new SizeType(new ByteSize(64 << 10), ByteSize.FromGiB(1)), "Size at which a console or process log rotates.",
            c => c.Logs.MaxBytes, (c, v) => c with { Logs = c.Logs with { MaxBytes = (ByteSize)v! } }),

        new("templates", "mirror", new TextType(ConfigChecks.Mirror), "Debian mirror to build templates from; empty: the host's.",
            c => c.Templates.Mirror, (c, v) => c with { Templates = c.Templates with { Mirror = (string)v! } }),
        new("templates", "ca_certificates", new TextType(ConfigChecks.OptionalPaths), "PEM files, separated by colons, of extra authorities that templates and sandboxes trust.",
            c => c.Templates.CaCertificates, (c, v) => c with { Templates = c.Templates with { CaCertificates = (string)v! } }),
        new("templates", "cache", new TextType(ConfigChecks.OptionalPath), "Directory of built templates as archives, for machines that test; empty: none.",
            c => c.Templates.Cache, (c, v) => c with { Templates = c.Templates with { Cache = (string)v! } }),
        new("templates", "import_max_bytes", new SizeType(ByteSize.FromMiB(1), MaxSize), "Bytes an imported archive or image may unpack to.",
            c => c.Templates.ImportMaxBytes, (c, v) => c with { Templates = c.Templates with { ImportMaxBytes = (ByteSize)v! } }),
        new("templates", "import_max_entries", new IntegerType(1, 100_000_000), "Files, directories and links an import may have.",
            c => c.Templates.ImportMaxEntries, (c, v) => c with { Templates = c.Templates with { ImportMaxEntries = (int)v! } }),

        new("http", "listen", new TextType(ConfigChecks.Endpoint), "Address and port of the HTTP listener (metrics, sessions); empty: none.",
            c => c.Http.Listen, (c, v) => c with { Http = c.Http with { Listen = (string)v! } }),
        new("http", "allow_remote", new FlagType(), "Whether the HTTP listener may be reached from other machines.",
            c => c.Http.AllowRemote, (c, v) => c with { Http = c.Http with { AllowRemote = (bool)v! } }),

        new("sessions", "enabled", new FlagType(), "Whether the HTTP listener serves the session service.",
            c => c.Sessions.Enabled, (c, v) => c with { Sessions = c.Sessions with { Enabled = (bool)v! } }),
        new("sessions", "token_file", new TextType(ConfigChecks.OptionalPath), "File with the bearer token of the session service; empty: none is asked for.",
            c => c.Sessions.TokenFile, (c, v) => c with { Sessions = c.Sessions with { TokenFile = (string)v! } }),
        new("sessions", "max_message", new SizeType(ByteSize.FromMiB(1), ByteSize.FromMiB(256)), "Largest message of the session service, either way.",
            c => c.Sessions.MaxMessage, (c, v) => c with { Sessions = c.Sessions with { MaxMessage = (ByteSize)v! } }),

        new("network", "bridge", new TextType(ConfigChecks.Bridge), "Name of the bridge sandboxes are connected to; at most six letters and digits.",
            c => c.Network.Bridge, (c, v) => c with { Network = c.Network with { Bridge = (string)v! } }),
        new("network", "table", new TextType(ConfigChecks.NftName), "Name of our tables in nftables.",
            c => c.Network.Table, (c, v) => c with { Network = c.Network with { Table = (string)v! } }),
        new("network", "pool4", new TextType(static t => ConfigChecks.Pool(t, v6: false)), "IPv4 addresses of sandboxes; the first is the host's.",
            c => c.Network.Pool4, (c, v) => c with { Network = c.Network with { Pool4 = (string)v! } }),
        new("network", "pool6", new TextType(static t => t.Length == 0 ? null : ConfigChecks.Pool(t, v6: true)), "IPv6 addresses of sandboxes; empty: none.",
            c => c.Network.Pool6, (c, v) => c with { Network = c.Network with { Pool6 = (string)v! } }),
        new("network", "uplink", new TextType(static t => t.Length == 0 ? null : ConfigChecks.Interface(t)), "The only interface sandboxes' packets may leave by; empty: as the host's routes say.",
            c => c.Network.Uplink, (c, v) => c with { Network = c.Network with { Uplink = (string)v! } }),
        new("network", "route_table", new IntegerType(0, 2_000_000_000), "Routing table for sandboxes' packets; 0: the host's main one.",
            c => c.Network.RouteTable, (c, v) => c with { Network = c.Network with { RouteTable = (int)v! } }),
        new("network", "dns", new TextType(ConfigChecks.Servers), "Name servers to ask, separated by commas; empty: the host's.",
            c => c.Network.Dns, (c, v) => c with { Network = c.Network with { Dns = (string)v! } }),
        new("network", "domain", new TextType(ConfigChecks.Label), "Domain of the sandboxes' own names.",
            c => c.Network.Domain, (c, v) => c with { Network = c.Network with { Domain = (string)v! } }),
        new("network", "bandwidth", new SizeType(new ByteSize(16 << 10), ByteSize.FromGiB(128), optional: true), "Most bytes a second of one sandbox, each way; empty: no limit.",
            c => c.Network.Bandwidth, (c, v) => c with { Network = c.Network with { Bandwidth = (ByteSize?)v } }),
        new("network", "connections", new IntegerType(1, 1_000_000), "Most open connections of one sandbox.",
            c => c.Network.Connections, (c, v) => c with { Network = c.Network with { Connections = (int)v! } }),
    ];

    public static IEnumerable<string> Sections => Keys.Select(key => key.Section).Distinct();

    public static ConfigKey? Find(string section, string name)
    {
        foreach (var key in Keys)
        {
            if (key.Section == section && key.Name == name)
            {
                return key;
            }
        }

        return null;
    }
}
