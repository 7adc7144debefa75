namespace Vivarium.Cli.Install;

/// <summary>The systemd unit; each line with its reason, also for what is not there.</summary>
internal static class UnitFile
{
    /// <summary>Text of the unit. Source: systemd.service(5), systemd.exec(5), systemd.resource-control(5), systemd.kill(5).</summary>
    public static string Text(string daemon, string? dotnetRoot) => $"""
        # Written by 'viv install', which writes it anew when it changes. Your own settings belong in a drop-in: systemctl edit vivarium
        [Unit]
        Description=Vivarium daemon: sandboxes for agents and untrusted code
        After=local-fs.target network.target

        [Service]
        # Ready when the socket answers; the pool and the sandboxes of the last daemon come after that.
        Type=notify
        NotifyAccess=main
        ExecStart={daemon} run
        {(dotnetRoot is null ? "# The .NET runtime is found where distributions put it." : $"# This machine's .NET runtime is not where distributions put it.\nEnvironment=DOTNET_ROOT={dotnetRoot}")}
        # A crash is repaired by starting again; 'viv daemon stop' ends in order and stays stopped.
        Restart=on-failure
        RestartSec=1
        # A daemon that hangs is started again. Sandboxes do not notice either.
        WatchdogSec=60
        TimeoutStopSec=30

        # Sandboxes outlive the daemon: only the daemon itself is stopped with the unit.
        KillMode=process
        # The daemon makes cgroups; systemd leaves them alone.
        Delegate=yes
        # Sockets of running supervisors are in /run/vivarium and stay when the daemon goes.
        RuntimeDirectory=vivarium
        RuntimeDirectoryMode=0750
        RuntimeDirectoryPreserve=yes
        StateDirectory=vivarium
        StateDirectoryMode=0700

        # A sandbox costs the daemon a few descriptors, a client one; supervisors inherit the limit.
        LimitNOFILE=524288
        # Processes of sandboxes are limited by their own cgroups, not by the unit's default.
        TasksMax=infinity
        # Out of memory, the kernel takes a sandbox and not the daemon.
        OOMScoreAdjust=-500
        # No core dumps: memory of the daemon may hold secrets on their way to a sandbox.
        LimitCORE=0
        UMask=0077
        KeyringMode=private
        # Never needed here, so neither the daemon nor anything below it can ever have them.
        CapabilityBoundingSet=~CAP_SYS_BOOT CAP_SYS_TIME CAP_SYS_PACCT CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_MAC_ADMIN CAP_MAC_OVERRIDE

        # Not here, on purpose:
        # ProtectSystem, ProtectHome, PrivateTmp, PrivateDevices, ProtectKernel*, ProtectControlGroups, ReadWritePaths: each gives the unit a mount namespace of
        #   its own. The next daemon would have another one, would not see the mounts of running sandboxes, and would mount the pool a second time.
        # SystemCallFilter, SystemCallArchitectures, LockPersonality, RestrictAddressFamilies, RestrictNamespaces, MemoryDenyWriteExecute, NoNewPrivileges: sandboxes
        #   inherit them, and what a sandbox may do is decided by its own profile.
        # PrivateNetwork, IPAddressDeny: sandboxes with a network go through the host's.

        [Install]
        WantedBy=multi-user.target

        """;
}
