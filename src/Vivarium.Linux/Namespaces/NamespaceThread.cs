using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;
using Vivarium.Linux.Processes;

namespace Vivarium.Linux.Namespaces;

/// <summary>
/// Runs code inside other namespaces. It does so on a thread made for it, which ends afterwards: a thread that has changed namespaces must never
/// serve anything else. User and pid namespaces cannot be entered this way. Sources: setns(2), unshare(2), namespaces(7).
/// </summary>
public static partial class NamespaceThread
{
    private const int CLONE_FS = 0x200;

    /// <summary>Enters the namespaces of a process and runs <paramref name="work"/> there, to its end.</summary>
    public static T In<T>(int pid, NamespaceKinds kinds, Func<T> work) => Run(() =>
    {
        foreach (var (kind, name) in Names(kinds))
        {
            var path = $"/proc/{pid}/ns/{name}";
            using var ns = Libc.Open(path, Libc.O_RDONLY);
            Enter(ns, kind, path);
        }

        return work();
    });

    /// <summary>Enters the namespace a file stands for (for example one made by <see cref="NetworkNamespace"/>).</summary>
    public static T In<T>(string path, NamespaceKinds kind, Func<T> work) => Run(() =>
    {
        using var ns = Libc.Open(path, Libc.O_RDONLY);
        Enter(ns, kind, path);
        return work();
    });

    /// <summary>Makes new namespaces and runs <paramref name="work"/> in them.</summary>
    public static T InNew<T>(NamespaceKinds kinds, Func<T> work) => Run(() =>
    {
        Libc.Check(Unshare((int)kinds), "make namespaces", null);
        return work();
    });

    /// <summary>
    /// Makes new namespaces and starts a program in them, from a thread that stays until the program has ended: only so can the program be given a parent death
    /// signal, which comes when the thread that started it ends.
    /// </summary>
    /// <param name="kinds">What to make.</param>
    /// <param name="start">Starts it, with <see cref="SpawnOptions.CallerStays"/>.</param>
    /// <param name="ended">What completes when it has ended.</param>
    public static T StartInNew<T>(NamespaceKinds kinds, Func<T> start, Func<T, Task> ended) => Run(
        () =>
        {
            Libc.Check(Unshare((int)kinds), "make namespaces", null);
            return start();
        },
        ended);

    private static void Enter(SafeFileHandle ns, NamespaceKinds kind, string path)
    {
        if (kind == NamespaceKinds.Mount)
        {
            // The working directory and root are shared with the other threads until now; a mount namespace brings its own.
            Libc.Check(Unshare(CLONE_FS), "detach working directory for", path);
        }

        Libc.Check(SetNs(ns, (int)kind), "enter namespace", path);
    }

    private static IEnumerable<(NamespaceKinds Kind, string Name)> Names(NamespaceKinds kinds)
    {
        (NamespaceKinds Kind, string Name)[] all =
        [
            (NamespaceKinds.Network, "net"), (NamespaceKinds.Uts, "uts"), (NamespaceKinds.Ipc, "ipc"), (NamespaceKinds.Cgroup, "cgroup"),
            (NamespaceKinds.Mount, "mnt"), // last: it changes what /proc is
        ];
        return all.Where(n => kinds.HasFlag(n.Kind));
    }

    private static T Run<T>(Func<T> work, Func<T, Task>? stay = null)
    {
        var done = new TaskCompletionSource();
        T result = default!;
        ExceptionDispatchInfo? error = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = work();
            }
            catch (Exception e)
            {
                error = ExceptionDispatchInfo.Capture(e);
            }

            var until = error is null ? stay?.Invoke(result) : null;
            done.SetResult();
            ((IAsyncResult?)until)?.AsyncWaitHandle.WaitOne(); // whether it went well is for those who started it
        })
        { IsBackground = true, Name = "namespace" };
        thread.Start();
        done.Task.Wait();
        if (stay is null)
        {
            thread.Join();
        }

        error?.Throw();
        return result;
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int SetNs(SafeHandle fd, int kind);

    [LibraryImport("libc", EntryPoint = "unshare", SetLastError = true)]
    private static partial int Unshare(int flags);
}

/// <summary>Kinds of namespaces, numbered as clone(2) does.</summary>
[Flags]
public enum NamespaceKinds
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Mounts.</summary>
    Mount = 0x00020000,

    /// <summary>Cgroup root.</summary>
    Cgroup = 0x02000000,

    /// <summary>Host name.</summary>
    Uts = 0x04000000,

    /// <summary>System V IPC, message queues.</summary>
    Ipc = 0x08000000,

    /// <summary>Network.</summary>
    Network = 0x40000000,
}
