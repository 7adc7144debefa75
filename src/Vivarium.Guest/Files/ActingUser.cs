using System.Runtime.InteropServices;
using Vivarium.Guest.Exec;
using Vivarium.Linux;

namespace Vivarium.Guest.Files;

/// <summary>
/// Runs file work with the rights of a user of the sandbox. The kernel keeps credentials per thread (only glibc's wrappers spread them), so the work
/// runs on a thread of its own that becomes the user by raw system calls and then ends. The effective ids are what counts for files, in Linux and in
/// gVisor, which has no setfsuid. Source: credentials(7).
/// </summary>
internal static partial class ActingUser
{
    private const long SYS_setgroups = 116; // x86-64
    private const long SYS_setresuid = 117;
    private const long SYS_setresgid = 119;
    private const int StackBytes = 4 * 1024 * 1024; // archives recurse; only what is touched is used

    /// <summary>Runs short work: on a pool thread when we are that user anyway.</summary>
    public static Task<T> RunAsync<T>(UserIdentity user, Func<T> work) => IsOurselves(user) ? Task.Run(work) : OnThread(user, work);

    /// <summary>Runs work that waits for the connection, for as long as it takes: always on a thread of its own.</summary>
    public static Task<T> RunLongAsync<T>(UserIdentity user, Func<T> work) => OnThread(IsOurselves(user) ? null : user, work);

    private static bool IsOurselves(UserIdentity user) => geteuid() == user.Uid && getegid() == user.Gid;

    private static Task<T> OnThread<T>(UserIdentity? user, Func<T> work)
    {
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(
            () =>
            {
                try
                {
                    if (user is not null)
                    {
                        Become(user);
                    }

                    result.SetResult(work());
                }
                catch (Exception e)
                {
                    result.SetException(e);
                }
            },
            StackBytes)
        { IsBackground = true, Name = "files" };
        thread.Start();
        return result.Task;
    }

    private static unsafe void Become(UserIdentity user)
    {
        var groups = user.Groups.ToArray();
        // SAFETY: the array is pinned for the call and its length is passed.
        fixed (uint* list = groups)
        {
            Check(syscall(SYS_setgroups, (nuint)groups.Length, (nint)list, 0), user);
        }

        const int unchanged = -1;
        Check(syscall(SYS_setresgid, uint.MaxValue, (nint)user.Gid, unchanged), user);
        Check(syscall(SYS_setresuid, uint.MaxValue, (nint)user.Uid, unchanged), user);
    }

    private static void Check(nint result, UserIdentity user)
    {
        if (result != 0)
        {
            throw new LinuxException("act as user", user.Name, Marshal.GetLastPInvokeError());
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(long number, nuint a, nint b, nint c);

    [LibraryImport("libc")]
    private static partial uint geteuid();

    [LibraryImport("libc")]
    private static partial uint getegid();
}
