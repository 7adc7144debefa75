namespace Vivarium.Linux;

/// <summary>Error numbers of Linux on x86-64 and arm64 that our programs tell apart. Source: errno(3).</summary>
public static class Errno
{
#pragma warning disable CS1591 // The names are the documentation.
    public const int EPERM = 1;
    public const int ENOENT = 2;
    public const int ESRCH = 3;
    public const int EINTR = 4;
    public const int EIO = 5;
    public const int ENXIO = 6;
    public const int E2BIG = 7;
    public const int ENOEXEC = 8;
    public const int EBADF = 9;
    public const int ECHILD = 10;
    public const int EAGAIN = 11;
    public const int ENOMEM = 12;
    public const int EACCES = 13;
    public const int EFAULT = 14;
    public const int ENOTBLK = 15;
    public const int EBUSY = 16;
    public const int EEXIST = 17;
    public const int EXDEV = 18;
    public const int ENODEV = 19;
    public const int ENOTDIR = 20;
    public const int EISDIR = 21;
    public const int EINVAL = 22;
    public const int ENFILE = 23;
    public const int EMFILE = 24;
    public const int ENOTTY = 25;
    public const int ETXTBSY = 26;
    public const int EFBIG = 27;
    public const int ENOSPC = 28;
    public const int ESPIPE = 29;
    public const int EROFS = 30;
    public const int EMLINK = 31;
    public const int EPIPE = 32;
    public const int ERANGE = 34;
    public const int ENAMETOOLONG = 36;
    public const int ENOSYS = 38;
    public const int ENOTEMPTY = 39;
    public const int ELOOP = 40;
    public const int ENODATA = 61;
    public const int EOVERFLOW = 75;
    public const int EOPNOTSUPP = 95;
    public const int EADDRINUSE = 98;
    public const int ENETUNREACH = 101;
    public const int ECONNABORTED = 103;
    public const int ECONNRESET = 104;
    public const int ETIMEDOUT = 110;
    public const int ECONNREFUSED = 111;
    public const int EALREADY = 114;
    public const int EINPROGRESS = 115;
    public const int ESTALE = 116;
    public const int EDQUOT = 122;
#pragma warning restore CS1591

    private static readonly Dictionary<int, (string Name, string Text)> Known = new()
    {
        [EPERM] = ("EPERM", "operation not permitted"),
        [ENOENT] = ("ENOENT", "no such file or directory"),
        [ESRCH] = ("ESRCH", "no such process"),
        [EINTR] = ("EINTR", "interrupted"),
        [EIO] = ("EIO", "input/output error"),
        [ENXIO] = ("ENXIO", "no such device or address"),
        [E2BIG] = ("E2BIG", "argument list too long"),
        [ENOEXEC] = ("ENOEXEC", "not an executable format"),
        [EBADF] = ("EBADF", "bad file descriptor"),
        [ECHILD] = ("ECHILD", "no child processes"),
        [EAGAIN] = ("EAGAIN", "resource temporarily unavailable"),
        [ENOMEM] = ("ENOMEM", "out of memory"),
        [EACCES] = ("EACCES", "permission denied"),
        [EFAULT] = ("EFAULT", "bad address"),
        [ENOTBLK] = ("ENOTBLK", "block device required"),
        [EBUSY] = ("EBUSY", "device or resource busy"),
        [EEXIST] = ("EEXIST", "file exists"),
        [EXDEV] = ("EXDEV", "crosses a file system or leaves the allowed directory"),
        [ENODEV] = ("ENODEV", "no such device"),
        [ENOTDIR] = ("ENOTDIR", "not a directory"),
        [EISDIR] = ("EISDIR", "is a directory"),
        [EINVAL] = ("EINVAL", "invalid argument"),
        [ENFILE] = ("ENFILE", "too many open files in the system"),
        [EMFILE] = ("EMFILE", "too many open files"),
        [ENOTTY] = ("ENOTTY", "the device does not know this request"),
        [ETXTBSY] = ("ETXTBSY", "text file busy"),
        [EFBIG] = ("EFBIG", "file too large"),
        [ENOSPC] = ("ENOSPC", "no space left on device"),
        [ESPIPE] = ("ESPIPE", "cannot seek"),
        [EROFS] = ("EROFS", "read-only file system"),
        [EMLINK] = ("EMLINK", "too many links"),
        [EPIPE] = ("EPIPE", "broken pipe"),
        [ERANGE] = ("ERANGE", "result out of range"),
        [ENAMETOOLONG] = ("ENAMETOOLONG", "file name too long"),
        [ENOSYS] = ("ENOSYS", "system call not available"),
        [ENOTEMPTY] = ("ENOTEMPTY", "directory not empty"),
        [ELOOP] = ("ELOOP", "too many symbolic links"),
        [ENODATA] = ("ENODATA", "no data available"),
        [EOVERFLOW] = ("EOVERFLOW", "value too large"),
        [EOPNOTSUPP] = ("EOPNOTSUPP", "operation not supported"),
        [EADDRINUSE] = ("EADDRINUSE", "address already in use"),
        [ENETUNREACH] = ("ENETUNREACH", "network unreachable"),
        [ECONNABORTED] = ("ECONNABORTED", "connection aborted"),
        [ECONNRESET] = ("ECONNRESET", "connection reset"),
        [ETIMEDOUT] = ("ETIMEDOUT", "timed out"),
        [ECONNREFUSED] = ("ECONNREFUSED", "connection refused"),
        [EALREADY] = ("EALREADY", "already in progress"),
        [EINPROGRESS] = ("EINPROGRESS", "in progress"),
        [ESTALE] = ("ESTALE", "stale file handle"),
        [EDQUOT] = ("EDQUOT", "quota exceeded"),
    };

    /// <summary>For example <c>ENOENT</c>; <c>errno 133</c> for one not listed here.</summary>
    public static string Name(int errno) => Known.TryGetValue(errno, out var known) ? known.Name : $"errno {errno}";

    /// <summary>For example <c>no such file or directory</c>.</summary>
    public static string Describe(int errno) => Known.TryGetValue(errno, out var known) ? known.Text : $"error number {errno}";
}
