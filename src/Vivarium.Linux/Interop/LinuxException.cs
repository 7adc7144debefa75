using System.Runtime.InteropServices;

namespace Vivarium.Linux;

/// <summary>A system call failed: which, on what, and why. An <see cref="IOException"/>, so that code that only knows .NET handles it.</summary>
public sealed class LinuxException : IOException
{
    /// <summary>Creates the error.</summary>
    /// <param name="operation">What was tried, as a verb: <c>mount</c>, <c>create subvolume</c>.</param>
    /// <param name="path">The object, or null.</param>
    /// <param name="errno">See <see cref="Errno"/>.</param>
    public LinuxException(string operation, string? path, int errno)
        : base(path is null
            ? $"{operation}: {Linux.Errno.Describe(errno)} ({Linux.Errno.Name(errno)})"
            : $"{operation} '{path}': {Linux.Errno.Describe(errno)} ({Linux.Errno.Name(errno)})")
    {
        Operation = operation;
        Path = path;
        Errno = errno;
    }

    /// <summary>What was tried.</summary>
    public string Operation { get; }

    /// <summary>The object.</summary>
    public string? Path { get; }

    /// <summary>Error number, see <see cref="Linux.Errno"/>.</summary>
    public int Errno { get; }

    /// <summary>The error of the last P/Invoke on this thread.</summary>
    internal static LinuxException Last(string operation, string? path) => new(operation, path, Marshal.GetLastPInvokeError());
}
