/*
 * Stops the init of its own PID namespace, the sandbox's agent, as root inside can: traces every thread of it and lets none go on, until this program ends.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int held[4096], count;

static int hold(int thread)
{
    for (int i = 0; i < count; i++)
        if (held[i] == thread) return 0;
    if (ptrace(PTRACE_SEIZE, thread, 0, 0) || ptrace(PTRACE_INTERRUPT, thread, 0, 0) || waitpid(thread, 0, __WALL) != thread) return -1;
    held[count++] = thread;
    return 1;
}

int main(void)
{
    /* Threads may appear while others are being stopped: until a pass finds no new one. */
    for (int found = 1; found;) {
        DIR *threads = opendir("/proc/1/task");
        if (!threads) return 2;
        found = 0;
        for (struct dirent *entry; (entry = readdir(threads));) {
            if (entry->d_name[0] == '.') continue;
            int now = hold(atoi(entry->d_name));
            if (now < 0) { perror(entry->d_name); return 3; }
            found |= now;
        }
        closedir(threads);
    }
    if (!fopen("/root/held", "w")) return 4;
    for (;;) pause();
}
