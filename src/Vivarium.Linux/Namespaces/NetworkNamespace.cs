using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;
using Vivarium.Linux.Mounts;

namespace Vivarium.Linux.Namespaces;

/// <summary>Network namespaces that live as long as a file does, as <c>ip netns</c> makes them. Source: network_namespaces(7).</summary>
public static partial class NetworkNamespace
{
    private const int AF_INET = 2;
    private const int SOCK_DGRAM = 2;
    private const int SOCK_CLOEXEC = 0x80000;
    private const nuint SIOCGIFFLAGS = 0x8913;
    private const nuint SIOCSIFFLAGS = 0x8914;
    private const short IFF_UP = 1;

    /// <summary>Makes a namespace with its loopback up, kept by a mount on <paramref name="path"/> (a file made here).</summary>
    public static void Create(string path)
    {
        using (Libc.Open(path, Libc.O_RDWR | Libc.O_CREAT | Libc.O_EXCL, 0x124))
        {
        }

        try
        {
            NamespaceThread.InNew(NamespaceKinds.Network, () =>
            {
                LoopbackUp();
                Mount.Bind("/proc/thread-self/ns/net", path);
                return true;
            });
        }
        catch
        {
            File.Delete(path);
            throw;
        }
    }

    /// <summary>Lets go of it; it ends when its last process and socket do. No error when it is not there.</summary>
    public static void Remove(string path)
    {
        Mount.Unmount(path, lazy: true);
        File.Delete(path);
    }

    /// <summary>Sets the loopback interface of the calling thread's namespace up.</summary>
    public static unsafe void LoopbackUp()
    {
        var fd = Socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        Libc.Check(fd, "open a socket", null);
        using var socket = new SafeFileHandle(fd, ownsHandle: true);
        // SAFETY: struct ifreq is 40 bytes: a name of 16, then a union in which the flags are the first short.
        var request = stackalloc byte[40];
        new Span<byte>(request, 40).Clear();
        "lo"u8.CopyTo(new Span<byte>(request, 16));
        Libc.Check(Libc.Ioctl(socket, SIOCGIFFLAGS, request), "read flags of interface", "lo");
        *(short*)(request + 16) |= IFF_UP;
        Libc.Check(Libc.Ioctl(socket, SIOCSIFFLAGS, request), "set up interface", "lo");
    }

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int Socket(int family, int type, int protocol);
}
