using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Sockets;

/// <summary>A descriptor this process was started with. Source: fcntl(2), F_SETFD.</summary>
public static class InheritedDescriptor
{
    private const int F_GETFD = 1, F_SETFD = 2, FD_CLOEXEC = 1;

    /// <summary>Keeps it from every program this process starts. False when it is not open.</summary>
    public static bool KeepFromChildren(int descriptor)
    {
        using var handle = new SafeFileHandle(descriptor, ownsHandle: false);
        return Libc.Fcntl(handle, F_GETFD, 0) is >= 0 and var flags && Libc.Fcntl(handle, F_SETFD, flags | FD_CLOEXEC) == 0;
    }
}
