/*
 * The one place where a Vivarium program makes a child process. Managed code must never fork: between fork and exec only
 * async-signal-safe C may run, and the collector's other threads do not exist in the child. So this file does vfork(2) and everything
 * up to execve(2), with raw system calls where glibc's wrapper would act on the whole process (setresuid and its kin).
 *
 * The child of a vfork shares our memory, so it reports a failed step by writing it into the request; no error pipe is needed,
 * and the caller knows when this returns whether the program has been executed.
 *
 * Man pages: vfork(2) execve(2) close_range(2) setsid(2) prctl(2) credentials(7) cgroups(7).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define VIV_CLOSE_RANGE_CLOEXEC 4u

/* Keep in step with SpawnRequest.cs and SpawnStep.cs. */
enum { NEW_SESSION = 1, CONTROLLING_TTY = 2, SET_UID = 4, SET_GID = 8, SET_OOM = 16, NO_NEW_PRIVS = 32, SET_UMASK = 64 };
enum step {
    STEP_NONE, STEP_VFORK, STEP_SETSID, STEP_CGROUP, STEP_OOM, STEP_LIMIT, STEP_FDS, STEP_DEVNULL, STEP_TTY,
    STEP_GROUPS, STEP_GID, STEP_UID, STEP_CWD, STEP_PRIVS, STEP_DEATHSIG, STEP_EXEC
};

struct viv_limit { uint64_t resource, soft, hard; };

struct viv_spawn_request {
    const char *const *paths;        /* candidates for execve, tried in order; NULL-terminated */
    char *const *argv;
    char *const *envp;
    const char *cwd;                 /* NULL: unchanged */
    const int32_t *fds;              /* pairs: source, target */
    const char *const *cgroups;      /* cgroup directories to join; NULL-terminated */
    const struct viv_limit *limits;
    const uint32_t *groups;
    uint64_t drop_capabilities;      /* bits that leave the bounding set; see capabilities(7) */
    int32_t fd_count;
    int32_t limit_count;
    int32_t group_count;             /* -1: unchanged */
    uint32_t flags;
    uint32_t uid;
    uint32_t gid;
    int32_t death_signal;
    int32_t oom_score_adj;
    int32_t umask;
    int32_t first_free_fd;           /* above every target */
    int32_t temporary[256];          /* where the sources are parked while targets are filled */
    volatile int32_t failed_step;
    volatile int32_t failed_errno;
};

static void __attribute__((noreturn)) fail(struct viv_spawn_request *r, enum step step, int error)
{
    r->failed_errno = error;
    r->failed_step = step;
    _exit(127);
}

/* For kernels (and gVisor versions) without close_range: marks what /proc/self/fd lists. */
static int cloexec_all_listed(void)
{
    char buffer[4096];
    int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -1;
    long n;
    while ((n = syscall(SYS_getdents64, dir, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < n;) {
            unsigned short length;
            memcpy(&length, buffer + at + 16, sizeof length);
            const char *name = buffer + at + 19;
            int fd = 0, digits = 0;
            for (; *name >= '0' && *name <= '9'; name++, digits++)
                fd = fd * 10 + (*name - '0');
            if (digits && fd > 2)
                fcntl(fd, F_SETFD, FD_CLOEXEC);
            at += length;
        }
    }
    close(dir);
    return n < 0 ? -1 : 0;
}

static void map_descriptors(struct viv_spawn_request *r)
{
    int have[3] = { 0, 0, 0 };
    /* Park every source above all targets first, so that any permutation works. */
    for (int i = 0; i < r->fd_count; i++) {
        int parked = fcntl(r->fds[2 * i], F_DUPFD_CLOEXEC, r->first_free_fd);
        if (parked < 0)
            fail(r, STEP_FDS, errno);
        r->temporary[i] = parked;
    }
    if (syscall(SYS_close_range, 3u, ~0u, VIV_CLOSE_RANGE_CLOEXEC) != 0 && cloexec_all_listed() != 0)
        fail(r, STEP_FDS, errno);
    for (int i = 0; i < r->fd_count; i++) {
        int target = r->fds[2 * i + 1];
        if (dup2(r->temporary[i], target) < 0) /* the copy is not close-on-exec */
            fail(r, STEP_FDS, errno);
        if (target < 3)
            have[target] = 1;
    }
    for (int target = 0; target < 3; target++) {
        if (have[target])
            continue;
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null < 0)
            fail(r, STEP_DEVNULL, errno);
        if (null == target)
            fcntl(null, F_SETFD, 0);
        else if (dup2(null, target) < 0)
            fail(r, STEP_DEVNULL, errno);
    }
}

static void write_small(struct viv_spawn_request *r, enum step step, const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        fail(r, step, errno);
    close(fd);
}

/*
 * Moving the one thread that asks, by the file "tasks" of version 1, needs no lock over every fork and exit of the machine; "cgroup.procs" takes
 * that lock, and after a quiet moment its taker waits for a grace period of RCU (5 to 30 ms, measured on 6.18). The child of a vfork is one thread,
 * so both files do the same to it. Version 2 has no such file for a domain. Sources: cgroups(7), cgroup_procs_write_start() in kernel/cgroup/cgroup.c.
 */
static void join_cgroup(struct viv_spawn_request *r, const char *directory)
{
    static const char *const files[] = { "/tasks", "/cgroup.procs" };
    char path[4200];
    size_t length = strlen(directory);
    if (length > 4096)
        fail(r, STEP_CGROUP, ENAMETOOLONG);
    memcpy(path, directory, length);
    for (int i = 0; i < 2; i++) {
        strcpy(path + length, files[i]);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT && i == 0)
            continue;
        if (fd < 0 || write(fd, "0", 1) < 0)
            fail(r, STEP_CGROUP, errno);
        close(fd);
        return;
    }
}

static void reset_signals(void)
{
    /* Handlers vanish at exec, ignored signals (SIGPIPE in every .NET process) would not; and no handler of ours may run here. */
    struct sigaction dfl;
    memset(&dfl, 0, sizeof dfl);
    dfl.sa_handler = SIG_DFL;
    for (int s = 1; s <= SIGRTMIN + 2; s++)
        if (s != SIGKILL && s != SIGSTOP)
            sigaction(s, &dfl, NULL); /* fails only for the two glibc keeps, which are never ignored */
    uint64_t none = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
}

/* Not inlined: the child runs on the stack of the suspended caller, whose frame must stay as it is. */
static void __attribute__((noreturn, noinline)) run_child(struct viv_spawn_request *r, pid_t parent)
{
    if ((r->flags & NEW_SESSION) && setsid() < 0)
        fail(r, STEP_SETSID, errno);
    for (const char *const *directory = r->cgroups; directory && *directory; directory++)
        join_cgroup(r, *directory);
    if (r->flags & SET_OOM) {
        char text[16];
        snprintf(text, sizeof text, "%d", r->oom_score_adj);
        write_small(r, STEP_OOM, "/proc/self/oom_score_adj", text);
    }
    map_descriptors(r);
    /* After the descriptors, whose parking places may lie above the new limit. */
    for (int i = 0; i < r->limit_count; i++) {
        uint64_t pair[2] = { r->limits[i].soft, r->limits[i].hard };
        if (syscall(SYS_prlimit64, 0, (int)r->limits[i].resource, pair, NULL) != 0)
            fail(r, STEP_LIMIT, errno);
    }
    for (int capability = 0; capability < 64; capability++)
        /* Fails only for one this kernel does not know, and where we may not, because we have few ourselves. */
        if (r->drop_capabilities >> capability & 1)
            prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    if ((r->flags & CONTROLLING_TTY) && ioctl(0, TIOCSCTTY, 0) != 0)
        fail(r, STEP_TTY, errno);
    if (r->group_count >= 0 && syscall(SYS_setgroups, (size_t)r->group_count, r->groups) != 0)
        fail(r, STEP_GROUPS, errno);
    if ((r->flags & SET_GID) && syscall(SYS_setresgid, r->gid, r->gid, r->gid) != 0)
        fail(r, STEP_GID, errno);
    if ((r->flags & SET_UID) && syscall(SYS_setresuid, r->uid, r->uid, r->uid) != 0)
        fail(r, STEP_UID, errno);
    if (r->cwd && chdir(r->cwd) != 0)
        fail(r, STEP_CWD, errno);
    if ((r->flags & NO_NEW_PRIVS) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        fail(r, STEP_PRIVS, errno);
    if (r->flags & SET_UMASK)
        umask((mode_t)r->umask);
    if (r->death_signal) { /* after the credentials: changing them clears it */
        if (prctl(PR_SET_PDEATHSIG, r->death_signal, 0, 0, 0) != 0)
            fail(r, STEP_DEATHSIG, errno);
        if (getppid() != parent)
            _exit(127);
    }
    reset_signals();

    int error = ENOENT;
    for (const char *const *path = r->paths; *path; path++) {
        execve(*path, r->argv, r->envp);
        if (errno == EACCES)
            error = EACCES; /* as execvp(3): a later directory may still have one that runs */
        else if (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG)
            fail(r, STEP_EXEC, errno);
        else if (r->paths[1] == NULL)
            error = errno;
    }
    fail(r, STEP_EXEC, error);
}

/* Returns the child's pid once the program runs, or -1 with failed_step and failed_errno filled in; the reaper collects the child that failed. */
__attribute__((visibility("default"))) int32_t viv_spawn(struct viv_spawn_request *r)
{
    uint64_t all = ~0ull, before = 0;
    pid_t parent = getpid();
    r->failed_step = STEP_NONE;
    r->failed_errno = 0;
    if (r->fd_count < 0 || r->fd_count > 256) {
        r->failed_step = STEP_FDS;
        r->failed_errno = EMFILE;
        return -1;
    }
    /* No signal handler of the runtime may run in the child: it would find only one thread. */
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    pid_t child = vfork();
    if (child == 0)
        run_child(r, parent);
    int error = errno;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
    if (child < 0) {
        r->failed_step = STEP_VFORK;
        r->failed_errno = error;
        return -1;
    }
    /* A child that failed is left to the reaper, like every other: two waiters would race for it. */
    return r->failed_step != STEP_NONE ? -1 : child;
}

static int sleep_until_killed(void *unused)
{
    (void)unused;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (;;)
        pause();
    return 0;
}

/*
 * Makes a process that only sleeps, in a user namespace of its own, and returns its pid. It shares our memory (a copy of the page tables of
 * a big process is not free), so it runs on a stack the caller gives, and all signals stay blocked in it.
 */
__attribute__((visibility("default"))) int32_t viv_hold_user_namespace(void *stack_top, int32_t *error)
{
    uint64_t all = ~0ull, before = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    pid_t child = clone(sleep_until_killed, stack_top, CLONE_VM | CLONE_NEWUSER | SIGCHLD, NULL);
    *error = errno;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
    return child;
}
