namespace Vivarium.Cli.Install;

/// <summary>The systemd socket unit, for machines where the daemon shall start with the first connection. Installed, and off until it is enabled.</summary>
internal static class SocketUnitFile
{
    /// <summary>Text of the unit. Source: systemd.socket(5).</summary>
    public static string Text(string group) => $"""
        # Written by 'viv install', which writes it anew when it changes. Off until you want it: systemctl enable --now vivarium.socket
        # With it the daemon starts with the first connection, also of a member of the group, and connections made while it is started anew wait instead of being refused.
        [Unit]
        Description=Vivarium: the socket its daemon is asked on

        [Socket]
        # Where the configuration has it: paths.runtime.
        ListenStream=/run/vivarium/vivd.sock
        # As the daemon would make it: for root and the group's members, who are as good as root here.
        SocketMode=0660
        SocketGroup={group}
        DirectoryMode=0750
        Backlog=1024
        # The directory has sockets of supervisors in it.
        RemoveOnStop=yes

        [Install]
        WantedBy=sockets.target

        """;
}
