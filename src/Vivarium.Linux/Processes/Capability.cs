namespace Vivarium.Linux.Processes;

/// <summary>Parts of root's power that a program about to be started can do without, numbered as in &lt;linux/capability.h&gt;. Source: capabilities(7).</summary>
public enum Capability
{
    /// <summary>Immutable and append-only files.</summary>
    LinuxImmutable = 9,

    /// <summary>Broadcasts and multicasts.</summary>
    NetBroadcast = 11,

    /// <summary>Any System V object.</summary>
    IpcOwner = 15,

    /// <summary>Loading kernel modules.</summary>
    SysModule = 16,

    /// <summary>I/O ports and raw memory.</summary>
    SysRawIo = 17,

    /// <summary>Process accounting.</summary>
    SysPacct = 20,

    /// <summary>Rebooting, loading another kernel.</summary>
    SysBoot = 22,

    /// <summary>Setting the clock.</summary>
    SysTime = 25,

    /// <summary>Configuring terminals.</summary>
    SysTtyConfig = 26,

    /// <summary>Leases on any file.</summary>
    Lease = 28,

    /// <summary>Configuring auditing.</summary>
    AuditControl = 30,

    /// <summary>Overriding mandatory access control.</summary>
    MacOverride = 32,

    /// <summary>Configuring mandatory access control.</summary>
    MacAdmin = 33,

    /// <summary>The kernel's log.</summary>
    Syslog = 34,

    /// <summary>Waking the machine.</summary>
    WakeAlarm = 35,

    /// <summary>Keeping the machine awake.</summary>
    BlockSuspend = 36,

    /// <summary>Reading the audit log.</summary>
    AuditRead = 37,

    /// <summary>Performance counters.</summary>
    Perfmon = 38,
}
