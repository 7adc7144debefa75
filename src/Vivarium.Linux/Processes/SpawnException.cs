namespace Vivarium.Linux.Processes;

/// <summary>A child could not be started; says at which step.</summary>
public sealed class SpawnException : IOException
{
    internal SpawnException(SpawnStep step, int errno, SpawnOptions options)
        : base($"start '{options.FileName}': {Describe(step, options)}: {Linux.Errno.Describe(errno)} ({Linux.Errno.Name(errno)})")
    {
        Step = step;
        Errno = errno;
    }

    /// <summary>Where it failed.</summary>
    public SpawnStep Step { get; }

    /// <summary>Why, see <see cref="Linux.Errno"/>.</summary>
    public int Errno { get; }

    /// <summary>The program does not exist (a shell would say 127) as opposed to not being executable (126).</summary>
    public bool NotFound => Step == SpawnStep.Execute && Errno is Linux.Errno.ENOENT or Linux.Errno.ENOTDIR;

    private static string Describe(SpawnStep step, SpawnOptions options) => step switch
    {
        SpawnStep.Fork => "create the process",
        SpawnStep.Session => "create a session",
        SpawnStep.Cgroup => $"join cgroup {string.Join(", ", options.CgroupDirectories ?? [])}",
        SpawnStep.OomScore => "set the out-of-memory score",
        SpawnStep.Limit => "set a resource limit",
        SpawnStep.Descriptors => "arrange the descriptors",
        SpawnStep.DevNull => "open /dev/null",
        SpawnStep.Terminal => "take the controlling terminal",
        SpawnStep.Groups => "set the supplementary groups",
        SpawnStep.Gid => $"become group {options.Gid}",
        SpawnStep.Uid => $"become user {options.Uid}",
        SpawnStep.WorkingDirectory => $"enter directory '{options.Cwd}'",
        SpawnStep.NoNewPrivileges => "give up new privileges",
        SpawnStep.ParentDeathSignal => "set the parent death signal",
        _ => "execute",
    };
}

/// <summary>Steps between fork and exec, numbered as in vivspawn.c.</summary>
public enum SpawnStep
{
    /// <summary>vfork.</summary>
    Fork = 1,

    /// <summary>setsid.</summary>
    Session,

    /// <summary>Writing to tasks or cgroup.procs of a cgroup.</summary>
    Cgroup,

    /// <summary>Writing oom_score_adj.</summary>
    OomScore,

    /// <summary>prlimit.</summary>
    Limit,

    /// <summary>dup2, close_range.</summary>
    Descriptors,

    /// <summary>Opening /dev/null.</summary>
    DevNull,

    /// <summary>TIOCSCTTY.</summary>
    Terminal,

    /// <summary>setgroups.</summary>
    Groups,

    /// <summary>setresgid.</summary>
    Gid,

    /// <summary>setresuid.</summary>
    Uid,

    /// <summary>chdir.</summary>
    WorkingDirectory,

    /// <summary>PR_SET_NO_NEW_PRIVS.</summary>
    NoNewPrivileges,

    /// <summary>PR_SET_PDEATHSIG.</summary>
    ParentDeathSignal,

    /// <summary>execve.</summary>
    Execute,
}
