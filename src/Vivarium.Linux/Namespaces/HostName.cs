using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Namespaces;

/// <summary>Sets the host name of another process's UTS namespace. Sources: sethostname(2), uts_namespaces(7).</summary>
public static partial class HostName
{
    /// <summary>Sets it; refuses when the process shares our own namespace, whose name is the machine's.</summary>
    /// <exception cref="LinuxException">The process is gone, or the name may not be set.</exception>
    public static void Set(int pid, string name)
    {
        // Opened once: what is compared is what is entered, whatever becomes of the pid.
        using var ns = Libc.Open($"/proc/{pid}/ns/uts", Libc.O_RDONLY);
        var path = $"/proc/self/fd/{ns.DangerousGetHandle()}";
        if (File.ResolveLinkTarget(path, returnFinalTarget: false)?.Name == File.ResolveLinkTarget("/proc/self/ns/uts", returnFinalTarget: false)?.Name)
        {
            throw new LinuxException("set the host name", $"process {pid}", Errno.EPERM);
        }

        _ = NamespaceThread.In(path, NamespaceKinds.Uts, () =>
        {
            var bytes = Encoding.ASCII.GetBytes(name);
            Libc.Check(SetHostName(bytes, (nuint)bytes.Length), "set the host name", name);
            return true;
        });
    }

    [LibraryImport("libc", EntryPoint = "sethostname", SetLastError = true)]
    private static partial int SetHostName(ReadOnlySpan<byte> name, nuint length);
}
