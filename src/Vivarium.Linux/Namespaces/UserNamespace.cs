using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Files;
using Vivarium.Linux.Interop;
using Vivarium.Linux.Processes;

namespace Vivarium.Linux.Namespaces;

/// <summary>Ids from <paramref name="Inside"/> on are, outside, those from <paramref name="Outside"/> on.</summary>
public readonly record struct IdRange(uint Inside, uint Outside, uint Count);

/// <summary>User namespaces as a descriptor, for id-mapped mounts. Source: user_namespaces(7).</summary>
public static unsafe partial class UserNamespace
{
    private const nuint StackBytes = 16 * 1024;

    /// <summary>Makes a namespace with these mappings for users and groups alike.</summary>
    public static SafeFileHandle Create(IReadOnlyList<IdRange> ranges)
    {
        // A namespace is made with a process in it; this one only sleeps, on a stack of its own, until the descriptor is open.
        // SAFETY: the stack is freed after the child has ended and no sooner.
        var stack = (byte*)NativeMemory.AlignedAlloc(StackBytes, 16);
        var (pid, exited) = Reaper.Spawn(
            _ =>
            {
                int errno;
                var child = Hold(stack + StackBytes, &errno);
                return child > 0 ? child : throw Failed(stack, errno);
            },
            new SpawnOptions { FileName = "", Argv = [] });
        try
        {
            var text = string.Join('\n', ranges.Select(r => string.Create(CultureInfo.InvariantCulture, $"{r.Inside} {r.Outside} {r.Count}")));
            PseudoFile.Write($"/proc/{pid}/uid_map", text);
            PseudoFile.Write($"/proc/{pid}/gid_map", text);
            return Libc.Open($"/proc/{pid}/ns/user", Libc.O_RDONLY);
        }
        finally
        {
            Reaper.Signal(pid, group: false, Signals.SIGKILL);
            exited.GetAwaiter().GetResult();
            NativeMemory.AlignedFree(stack);
        }
    }

    private static LinuxException Failed(byte* stack, int errno)
    {
        NativeMemory.AlignedFree(stack);
        return new LinuxException("make a user namespace", null, errno);
    }

    [LibraryImport("vivspawn", EntryPoint = "viv_hold_user_namespace")]
    private static partial int Hold(byte* stackTop, int* errno);
}
