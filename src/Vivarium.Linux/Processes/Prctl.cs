using System.Runtime.InteropServices;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Processes;

/// <summary>Properties of this process. Source: prctl(2).</summary>
public static partial class Prctl
{
    private const int PR_SET_PDEATHSIG = 1;
    private const int PR_SET_DUMPABLE = 4;
    private const int PR_SET_NAME = 15;
    private const int PR_SET_CHILD_SUBREAPER = 36;
    private const int PR_SET_NO_NEW_PRIVS = 38;

    /// <summary>Orphaned descendants become children of this process instead of PID 1's.</summary>
    public static void SetChildSubreaper() => Set(PR_SET_CHILD_SUBREAPER, 1, "become child subreaper");

    /// <summary>No core dumps, no ptrace by the same user, and /proc/self belongs to root.</summary>
    public static void SetNotDumpable() => Set(PR_SET_DUMPABLE, 0, "forbid core dumps");

    /// <summary>This process and its children can gain no privileges by executing.</summary>
    public static void SetNoNewPrivileges() => Set(PR_SET_NO_NEW_PRIVS, 1, "give up new privileges");

    /// <summary>Signal to this process when the thread that started it ends.</summary>
    public static void SetParentDeathSignal(int signal) => Set(PR_SET_PDEATHSIG, signal, "set the parent death signal");

    /// <summary>Name of the calling thread as <c>ps</c> and <c>top</c> show it, cut at 15 bytes.</summary>
    public static unsafe void SetThreadName(string name)
    {
        using var arena = new NativeArena();
        // SAFETY: the kernel reads at most 16 bytes of a NUL-terminated string.
        Libc.Check(Call(PR_SET_NAME, (nint)arena.Text(name), 0, 0, 0), "name the thread", name);
    }

    private static void Set(int option, nint value, string operation) => Libc.Check(Call(option, value, 0, 0, 0), operation, null);

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int Call(int option, nint a, nint b, nint c, nint d);
}
