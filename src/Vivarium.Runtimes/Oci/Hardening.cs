namespace Vivarium.Runtimes.Oci;

/// <summary>What a container may and may not touch, apart from system calls (<see cref="SeccompProfile"/>).</summary>
internal static class Hardening
{
    /// <summary>
    /// Enough for root inside to own files, change users, bind low ports and install packages. Docker's default without NET_RAW (spoofed
    /// packets), MKNOD (devices) and AUDIT_WRITE. Source: capabilities(7).
    /// </summary>
    public static readonly string[] Capabilities =
    [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_SETGID",
        "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
    ];

    /// <summary>Host information and kernel interfaces a sandbox must not even read.</summary>
    public static readonly string[] MaskedPaths =
    [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
        "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
    ];

    /// <summary>Kernel settings that are the whole machine's.</summary>
    public static readonly string[] ReadonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

    /// <summary>No core dumps (they could fill the host's core pattern target); descriptors as a busy agent needs them, as far as the host grants them.</summary>
    public static OciRlimit[] Rlimits(HostAllowance host) =>
        [new("RLIMIT_CORE", 0, 0), new("RLIMIT_NOFILE", host.OpenFiles, Math.Min(host.OpenFiles, 65_536))];
}
