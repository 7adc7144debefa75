using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Files;

/// <summary>Giving a file real blocks before they are written. Source: fallocate(2).</summary>
public static partial class Allocation
{
    private const int FALLOC_FL_KEEP_SIZE = 1;

    /// <summary>Makes sure that a part of a file has blocks, so that writing there cannot fail for lack of them; what is written already stays. Neither the size nor what is read changes.</summary>
    /// <exception cref="LinuxException">ENOSPC; EOPNOTSUPP where the file system cannot.</exception>
    public static void Reserve(SafeFileHandle file, long offset, long length, string path) =>
        Libc.Check(Fallocate(file, FALLOC_FL_KEEP_SIZE, offset, length), "reserve blocks of", path);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int Fallocate(SafeHandle fd, int mode, long offset, long length);
}
