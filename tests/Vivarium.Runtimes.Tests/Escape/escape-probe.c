/*
 * Tries, from inside a sandbox, what an escape would need, and prints one line a trial: "denied NAME WHY" or "ALLOWED NAME WHY".
 * Static, so that it runs in any root. Trials that a user-space kernel may grant to its own root (they touch nothing of the host's) are
 * printed as "virtual NAME WHY" when that kernel says it is one (argument "virtual").
 *
 * escape-probe HOST_SECRET_PATH HOST_SOCKET_PATH ABSTRACT_NAME SHM_KEY [virtual]
 * escape-probe whoami                     (what a set-user-id copy of it runs)
 * escape-probe descriptors                (opens all it can, in twenty processes, and keeps them)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int is_virtual;
static const char *secret_path;

static void say(const char *verdict, const char *name, const char *why) { printf("%s %s %s\n", verdict, name, why); fflush(stdout); }
static void denied(const char *name) { say("denied", name, strerror(errno)); }
static void allowed(const char *name, const char *why) { say("ALLOWED", name, why); }

/* A call that must fail everywhere. */
static void must_fail(const char *name, long result) { if (result < 0) denied(name); else allowed(name, "the call succeeded"); }

/* A call a user-space kernel may grant, because what it changes is its own. */
static void own_kernel_may(const char *name, long result)
{
    if (result < 0) denied(name);
    else say(is_virtual ? "virtual" : "ALLOWED", name, "the call succeeded");
}

static void must_not_open(const char *name, const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) { denied(name); return; }
    allowed(name, path);
    close(fd);
}

/* Masked files may be opened and are empty. */
static void must_not_read(const char *name, const char *path)
{
    char buffer[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) { denied(name); return; }
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0) denied(name);
    else if (n == 0) say("denied", name, "empty");
    else allowed(name, path);
    close(fd);
}

static void must_not_write(const char *name, const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) { denied(name); return; }
    if (write(fd, text, strlen(text)) < 0) denied(name);
    else say(is_virtual ? "virtual" : "ALLOWED", name, path);
    close(fd);
}

static void host_files(void)
{
    static const char *const ways[] = { "", "/proc/1/root", "/proc/self/root", "/proc/1/cwd", "/proc/1/task/1/root", "/../../../..", "/proc/self/cwd/../../.." };
    char path[4096];
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        snprintf(path, sizeof path, "%s%s", ways[i], secret_path);
        must_not_open("host-file", path, O_RDONLY);
    }
    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d/../../../../../..%s", fd, secret_path);
        if (access(path, F_OK) == 0) { allowed("host-file-through-descriptor", path); return; }
    }
    say("denied", "host-file-through-descriptor", "none leads there");
}

static void unix_socket(const char *name, const char *path, int is_abstract)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strncpy(address.sun_path + is_abstract, path, sizeof address.sun_path - 2);
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
    must_fail(name, fd < 0 ? -1 : connect(fd, (struct sockaddr *)&address, length));
    if (fd >= 0) close(fd);
}

static void network(const char *name, const char *ip, int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    inet_pton(AF_INET, ip, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int result = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&address, sizeof address);
    must_fail(name, result < 0 && errno == EINPROGRESS ? 0 : result);
    if (fd >= 0) close(fd);
}

static void processes(void)
{
    int seen = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));)
        seen += e->d_name[0] >= '1' && e->d_name[0] <= '9';
    char text[32];
    snprintf(text, sizeof text, "%d processes seen", seen);
    if (seen < 16) say("denied", "other-processes", text); else allowed("other-processes", text);
    if (proc) closedir(proc);
}

static void agent(void)
{
    /* Root of a sandbox may look into the agent, which is trusted with nothing; another user may not. */
    if (geteuid() != 0 && !is_virtual) {
        must_fail("ptrace-agent", ptrace(PTRACE_SEIZE, 1, 0, 0));
        char byte;
        struct iovec here = { &byte, 1 }, there = { (void *)0x400000, 1 };
        must_fail("read-agent-memory", syscall(SYS_process_vm_readv, 1, &here, 1, &there, 1, 0));
        must_not_open("write-agent-memory", "/proc/1/mem", O_RDWR);
        must_not_read("agent-environment", "/proc/1/environ");
        must_not_open("agent-descriptors", "/proc/1/fd", O_RDONLY | O_DIRECTORY);
    }
    must_not_open("overwrite-agent", "/run/vivarium/viv-guest", O_WRONLY);
    must_not_open("overwrite-agent-by-proc", "/proc/1/exe", O_WRONLY);
    must_fail("remove-agent", unlink("/run/vivarium/viv-guest"));
    must_fail("rename-agent", rename("/run/vivarium/viv-guest", "/run/vivarium/x"));
    must_fail("chmod-agent", chmod("/run/vivarium/viv-guest", 0777));
    must_fail("remount-agent", mount(NULL, "/run/vivarium/viv-guest", NULL, MS_REMOUNT | MS_BIND, NULL));
    must_fail("unmount-agent", umount2("/run/vivarium/viv-guest", MNT_DETACH));
}

static void mounts(void)
{
    own_kernel_may("mount-tmpfs", mount("none", "/tmp", "tmpfs", 0, NULL));
    own_kernel_may("bind-mount", mount("/proc", "/tmp", NULL, MS_BIND, NULL));
    must_fail("remount-proc-sys", mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
    must_fail("remount-sys", mount(NULL, "/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
    must_fail("unmount-mask", umount2("/proc/kcore", MNT_DETACH));
    must_fail("unmount-proc-sys", umount2("/proc/sys", MNT_DETACH));
    own_kernel_may("mount-cgroup", mount("none", "/tmp", "cgroup", 0, "memory"));
    own_kernel_may("mount-cgroup2", mount("none", "/tmp", "cgroup2", 0, NULL));
    must_fail("mount-disk", mount("/dev/vda", "/tmp", "ext4", 0, NULL));
    own_kernel_may("pivot-root", syscall(SYS_pivot_root, "/tmp", "/tmp"));
    must_fail("fsopen", syscall(430, "tmpfs", 0));
    must_fail("open-tree-clone", syscall(428, AT_FDCWD, "/", 1));
    must_fail("move-mount", syscall(429, -100, "/tmp", -100, "/proc", 0));
    must_fail("mount-setattr", syscall(442, AT_FDCWD, "/proc/sys", 0, "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32));
    struct { struct { unsigned bytes; int type; } head; char handle[8]; } handle = { { 8, 1 }, { 2 } };
    must_fail("open-by-handle", syscall(SYS_open_by_handle_at, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), &handle, O_RDONLY));
}

static void devices(void)
{
    static const struct { const char *name; int type, major, minor; } nodes[] =
        { { "mknod-mem", S_IFCHR, 1, 1 }, { "mknod-kmsg", S_IFCHR, 1, 11 }, { "mknod-disk", S_IFBLK, 8, 0 }, { "mknod-virtual-disk", S_IFBLK, 254, 0 }, { "mknod-fuse", S_IFCHR, 10, 229 }, { "mknod-kvm", S_IFCHR, 10, 232 } };
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        unlink("/tmp/node");
        if (mknod("/tmp/node", nodes[i].type | 0600, makedev(nodes[i].major, nodes[i].minor)) < 0) { denied(nodes[i].name); continue; }
        must_not_open(nodes[i].name, "/tmp/node", O_RDONLY);
        unlink("/tmp/node");
    }
    static const char *const expected = " . .. null zero full random urandom tty ptmx pts fd stdin stdout stderr shm mqueue core console net ";
    DIR *dev = opendir("/dev");
    for (struct dirent *e; dev && (e = readdir(dev));) {
        char word[300];
        snprintf(word, sizeof word, " %s ", e->d_name);
        if (!strstr(expected, word)) say(is_virtual ? "virtual" : "ALLOWED", "device-nodes", e->d_name);
    }
    if (dev) closedir(dev);
    say("denied", "device-nodes", "looked at all of /dev");
    must_not_open("open-kmsg", "/dev/kmsg", O_RDONLY);
    must_not_open("open-mem", "/dev/mem", O_RDONLY);
    must_not_open("open-kvm", "/dev/kvm", O_RDWR);
    if (!is_virtual) must_not_open("open-tun", "/dev/net/tun", O_RDWR); /* gVisor has one of its own */
    say("tried", "chown-null", chown("/dev/null", 1, 1) < 0 ? strerror(errno) : "the test looks at the host's afterwards");
}

static void kernel_files(void)
{
    must_not_write("sysrq", "/proc/sysrq-trigger", "h");
    must_not_write("core-pattern", "/proc/sys/kernel/core_pattern", "core");
    must_not_write("modprobe-path", "/proc/sys/kernel/modprobe", "/sbin/modprobe");
    must_not_write("panic-setting", "/proc/sys/kernel/panic", "0");
    must_not_write("binfmt", "/proc/sys/fs/binfmt_misc/register", ":x:M::x::/bin/x:");
    must_not_write("uevent-helper", "/sys/kernel/uevent_helper", "/x");
    must_not_write("release-agent", "/sys/fs/cgroup/release_agent", "/x");
    must_not_write("release-agent-memory", "/sys/fs/cgroup/memory/release_agent", "/x");
    must_not_write("leave-cgroup", "/sys/fs/cgroup/memory/cgroup.procs", "0");
    must_not_write("memory-limit", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "-1");
    must_not_write("power-state", "/sys/power/state", "");
    must_not_read("kcore", "/proc/kcore");
    must_not_read("kmsg", "/proc/kmsg");
    must_not_read("keys", "/proc/keys");
    must_not_read("timer-list", "/proc/timer_list");
    must_not_read("sched-debug", "/proc/sched_debug");
    must_not_open("firmware", "/sys/firmware/acpi/tables/DSDT", O_RDONLY);
}

static void system_calls(void)
{
    char attributes[128] = { 0 };
    must_fail("bpf", syscall(SYS_bpf, 0, attributes, sizeof attributes));
    must_fail("perf-event-open", syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0));
    own_kernel_may("io-uring", syscall(425, 4, attributes));
    must_fail("userfaultfd", syscall(SYS_userfaultfd, 0));
    must_fail("add-key", syscall(SYS_add_key, "user", "escape", "x", 1, -3));
    own_kernel_may("keyctl", syscall(SYS_keyctl, 0, -3, 1));
    must_fail("request-key", syscall(SYS_request_key, "user", "escape", NULL, -3));
    must_fail("init-module", syscall(SYS_init_module, attributes, 1, ""));
    must_fail("finit-module", syscall(SYS_finit_module, 0, "", 0));
    must_fail("delete-module", syscall(SYS_delete_module, "nothing", 0));
    must_fail("kexec-load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
    must_fail("kexec-file-load", syscall(SYS_kexec_file_load, 0, 0, 1, "", 0));
    must_fail("reboot", syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL)); /* Ctrl-Alt-Del off: harmless where it works */
    must_fail("swapon", syscall(SYS_swapon, "/tmp/x", 0));
    must_fail("acct", syscall(SYS_acct, "/tmp/x"));
    must_fail("quotactl", syscall(SYS_quotactl, 0, "/dev/vda", 0, NULL));
    must_fail("iopl", syscall(SYS_iopl, 3));
    must_fail("ioperm", syscall(SYS_ioperm, 0x80, 1, 1));
    must_fail("fanotify", syscall(SYS_fanotify_init, 0, 0));
    must_fail("vhangup", syscall(SYS_vhangup));
    own_kernel_may("syslog", syscall(SYS_syslog, 3, attributes, sizeof attributes));
    own_kernel_may("sethostname", syscall(SYS_sethostname, "escape", 6));
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    must_fail("set-clock", clock_settime(CLOCK_REALTIME, &now));
    struct timex tick = { .modes = ADJ_TICK, .tick = 10000 };
    must_fail("adjust-clock", adjtimex(&tick));
    must_fail("packet-socket", socket(AF_PACKET, SOCK_RAW, 0));
    must_fail("raw-socket", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    must_fail("vsock", socket(40, SOCK_STREAM, 0));
    must_fail("alg-socket", socket(38, SOCK_SEQPACKET, 0));
    must_fail("bluetooth-socket", socket(31, SOCK_RAW, 1));
    own_kernel_may("lower-oom-score", open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC) < 0 ? -1 : write(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC), "-1000", 5));
}

/* Whether what was made is used or not, the child ends at once. */
static void namespaces(void)
{
    static const struct { const char *name; int flag; } kinds[] = { { "unshare-user", CLONE_NEWUSER }, { "unshare-mount", CLONE_NEWNS }, { "unshare-net", CLONE_NEWNET }, { "unshare-pid", CLONE_NEWPID }, { "unshare-cgroup", CLONE_NEWCGROUP } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        pid_t child = fork();
        if (child == 0) { own_kernel_may(kinds[i].name, unshare(kinds[i].flag)); _exit(0); }
        waitpid(child, NULL, 0);
        pid_t made = syscall(SYS_clone, kinds[i].flag | SIGCHLD, 0, 0, 0, 0);
        if (made == 0) _exit(0);
        char name[64];
        snprintf(name, sizeof name, "clone-%s", kinds[i].name + 8);
        own_kernel_may(name, made);
        if (made > 0) waitpid(made, NULL, 0);
    }
    static const char *const spaces[] = { "mnt", "pid", "net", "user", "cgroup", "ipc", "uts" };
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        char path[64], name[64];
        snprintf(path, sizeof path, "/proc/1/ns/%s", spaces[i]);
        snprintf(name, sizeof name, "setns-%s", spaces[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        own_kernel_may(name, fd < 0 ? -1 : setns(fd, 0));
        if (fd >= 0) close(fd);
    }
}

static void descriptors(void)
{
    DIR *all = opendir("/proc/self/fd");
    for (struct dirent *e; all && (e = readdir(all));) {
        int fd = atoi(e->d_name);
        char path[64], target[512] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (e->d_name[0] == '.' || fd == dirfd(all) || fd < 3) continue;
        if (readlink(path, target, sizeof target - 1) < 0) strcpy(target, "?");
        allowed("inherited-descriptor", target);
    }
    if (all) closedir(all);
    say("denied", "inherited-descriptor", "only the three standard ones");
}

static void privileges(const char *self)
{
    must_fail("no-new-privileges-off", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || is_virtual ? -1 : 0);
    must_fail("raise-capabilities", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21 /* CAP_SYS_ADMIN */, 0, 0));
    if (geteuid() != 0) return;
    char command[4096];
    snprintf(command, sizeof command, "/tmp/suid-probe");
    unlink(command);
    int in = open(self, O_RDONLY | O_CLOEXEC), out = open(command, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    char buffer[65536];
    for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0;) if (write(out, buffer, n) != n) break;
    close(in);
    fchmod(out, 04755);
    close(out);
    pid_t child = fork();
    if (child == 0) {
        if (setresgid(1000, 1000, 1000) < 0 || setresuid(1000, 1000, 1000) < 0) _exit(9);
        execl(command, command, "whoami", NULL);
        _exit(9);
    }
    int status = 0;
    waitpid(child, &status, 0);
    unlink(command);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 1) allowed("set-user-id", "it became root");
    else say("denied", "set-user-id", "it stayed what it was");
}

static void __attribute__((noreturn)) hoard_descriptors(void)
{
    for (int i = 0; i < 20 && fork() > 0; i++) { }
    while (open("/dev/zero", O_RDONLY) >= 0) { }
    for (;;) pause();
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "descriptors")) hoard_descriptors();
    if (argc == 2 && !strcmp(argv[1], "whoami")) return geteuid() == 0;
    if (argc < 5) return 2;
    is_virtual = argc > 5 && !strcmp(argv[5], "virtual");
    secret_path = argv[1];
    signal(SIGPIPE, SIG_IGN);
    descriptors();
    host_files();
    unix_socket("host-socket", argv[2], 0);
    unix_socket("docker-socket", "/var/run/docker.sock", 0);
    unix_socket("daemon-socket", "/run/vivarium/vivd.sock", 0);
    unix_socket("abstract-socket", argv[3], 1);
    must_fail("host-shared-memory", shmget(atoi(argv[4]), 1, 0));
    network("metadata-address", "169.254.169.254", 80);
    network("private-address", "10.0.0.1", 22);
    processes();
    agent();
    mounts();
    devices();
    kernel_files();
    system_calls();
    namespaces();
    privileges(argv[0]);
    say("done", "-", "-");
    return 0;
}
