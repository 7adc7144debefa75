namespace Vivarium.Runtimes.Oci;

/// <summary>
/// The system calls a sandbox may make: an allow list, everything else fails with EPERM. It is what Docker documents as its default
/// (docs.docker.com/engine/security/seccomp) for a container without extra capabilities, minus what a sandbox has no use for and the kernel
/// has been attacked through (io_uring, kernel keyring, userfaultfd, handles), and for the native architecture only: 32-bit and x32
/// calls kill the caller, which also keeps the filter a third of the size and quick to load.
/// </summary>
internal static class SeccompProfile
{
    private const int EPERM = 1;
    private const int ENOSYS = 38;
    private const uint CloneNamespaceFlags = 0x7E020000; // CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}; source: clone(2)

    // Local, IPv4, IPv6, netlink: what programs use. The others are drivers few have read (vsock, algorithms, Bluetooth, CAN, TIPC, …); <sys/socket.h>.
    private static readonly ulong[] AddressFamilies = [1, 2, 10, 16];

    private static readonly string[] Allowed =
    [
        // Files
        "access", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3", "faccessat", "faccessat2",
        "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat", "fcntl", "fdatasync", "fgetxattr", "flistxattr",
        "flock", "fremovexattr", "fsetxattr", "fstat", "fstatfs", "fsync", "ftruncate", "futimesat", "getcwd", "getdents", "getdents64", "getxattr",
        "ioctl", "lchown", "lgetxattr", "link", "linkat", "listxattr", "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "mkdir",
        "mkdirat", "mknod", "mknodat", "newfstatat", "open", "openat", "openat2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2",
        "read", "readahead", "readlink", "readlinkat", "readv", "removexattr", "rename", "renameat", "renameat2", "rmdir", "sendfile", "setxattr",
        "splice", "stat", "statfs", "statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "tee", "truncate", "umask", "unlink",
        "unlinkat", "utime", "utimensat", "utimes", "vmsplice", "write", "writev", "cachestat", "chroot",
        // Watching and waiting
        "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "fanotify_mark",
        "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "pause", "poll", "ppoll", "pselect6", "select", "signalfd", "signalfd4",
        "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit",
        // Memory
        "brk", "madvise", "map_shadow_stack", "membarrier", "memfd_create", "memfd_secret", "mincore", "mlock", "mlock2", "mlockall", "mmap", "mprotect",
        "mremap", "msync", "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect", "remap_file_pages", "process_mrelease",
        "process_madvise",
        // Processes and threads
        "arch_prctl", "execve", "execveat", "exit", "exit_group", "fork", "futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake",
        "get_robust_list", "get_thread_area", "getcpu", "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getrlimit", "getrusage", "getsid",
        "gettid", "ioprio_get", "ioprio_set", "kill", "modify_ldt", "pidfd_open", "pidfd_send_signal", "prctl", "prlimit64", "ptrace",
        "process_vm_readv", "process_vm_writev", "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
        "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sched_get_priority_max", "sched_get_priority_min",
        "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr",
        "sched_setparam", "sched_setscheduler", "sched_yield", "set_robust_list", "set_thread_area", "set_tid_address", "setpgid", "setpriority",
        "setrlimit", "setsid", "sigaltstack", "tgkill", "tkill", "vfork", "wait4", "waitid",
        // Identity and confinement
        "capget", "capset", "getegid", "geteuid", "getgid", "getgroups", "getresgid", "getresuid", "getuid", "landlock_add_rule",
        "landlock_create_ruleset", "landlock_restrict_self", "seccomp", "setfsgid", "setfsuid", "setgid", "setgroups", "setregid", "setresgid",
        "setresuid", "setreuid", "setuid",
        // Sockets, pipes, System V and POSIX messages
        "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg",
        "sendmsg", "sendto", "setsockopt", "shutdown", "socketpair", "pipe", "pipe2", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive",
        "mq_timedsend", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat", "shmctl", "shmdt", "shmget",
        // Time and the system
        "adjtimex", "alarm", "clock_adjtime", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "getrandom", "gettimeofday", "nanosleep",
        "setitimer", "sysinfo", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime", "timerfd_create",
        "timerfd_gettime", "timerfd_settime", "times", "uname",
    ];

    // What personality(2) may be asked for: Linux, 32-bit Linux, both without address randomisation off (UNAME26), and the query.
    private static readonly ulong[] Personalities = [0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF];

    /// <summary>The profile, built once.</summary>
    public static OciSeccomp Default { get; } = new()
    {
        DefaultAction = "SCMP_ACT_ERRNO",
        DefaultErrnoRet = EPERM,
        Architectures = ["SCMP_ARCH_X86_64"],
        Syscalls =
        [
            new() { Names = Allowed, Action = "SCMP_ACT_ALLOW" },
            .. AddressFamilies.Select(static family => new OciSyscallRule
            {
                Names = ["socket"], Action = "SCMP_ACT_ALLOW", Args = [new(0, family, "SCMP_CMP_EQ")],
            }),
            .. Personalities.Select(value => new OciSyscallRule
            {
                Names = ["personality"], Action = "SCMP_ACT_ALLOW", Args = [new(0, value, "SCMP_CMP_EQ")],
            }),
            // No new namespaces. clone3 hides its flags behind a pointer, so it is said not to exist and the C library uses clone.
            new() { Names = ["clone"], Action = "SCMP_ACT_ALLOW", Args = [new(0, CloneNamespaceFlags, "SCMP_CMP_MASKED_EQ", 0)] },
            new() { Names = ["clone3"], Action = "SCMP_ACT_ERRNO", ErrnoRet = ENOSYS },
        ],
    };
}
