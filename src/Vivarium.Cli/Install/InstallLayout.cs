namespace Vivarium.Cli.Install;

/// <summary>Where an installation puts things. <see cref="Root"/> is <c>/</c>, or the directory of a machine that is being prepared (a package, an image).</summary>
/// <param name="Root">Prepended to every path that is written.</param>
/// <param name="Prefix">As on the installed machine, for example <c>/usr/local</c>.</param>
internal sealed record InstallLayout(string Root, string Prefix)
{
    public const string UnitName = "vivarium.service";

    /// <summary>Whether this very machine is installed, so that its group, its service manager and its daemon count.</summary>
    public bool IsThisMachine => Root == "/";

    public string Programs => Prefix + "/lib/vivarium";

    public string Daemon => Programs + "/vivd/vivd";

    public string Link => Prefix + "/bin/viv";

    public const string Unit = "/etc/systemd/system/" + UnitName;

    public const string SocketUnitName = "vivarium.socket";

    public const string SocketUnit = "/etc/systemd/system/" + SocketUnitName;

    public const string ConfigDirectory = "/etc/vivarium";

    public const string Config = ConfigDirectory + "/config.toml";

    public IReadOnlyList<(string Shell, string Path)> Completions =>
    [
        ("bash", Prefix + "/share/bash-completion/completions/viv"),
        ("zsh", Prefix + "/share/zsh/site-functions/_viv"),
        ("fish", Prefix + "/share/fish/vendor_completions.d/viv.fish"),
    ];

    public string Manual => Prefix + "/share/man/man1/viv.1";

    /// <summary>A path of the installed machine as it is here.</summary>
    public string Here(string path) => IsThisMachine ? path : Root.TrimEnd('/') + path;
}
