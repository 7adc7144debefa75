using Vivarium.Linux;
using Vivarium.Wire.Errors;

namespace Vivarium.Guest.Files;

/// <summary>Turns what went wrong with a file into the error the caller gets.</summary>
internal static class FileFailure
{
    /// <summary>The error on the wire.</summary>
    public static ErrorInfo ToInfo(Exception e, string operation, string path) => e switch
    {
        VivariumException known => known.ToInfo(),
        LinuxException linux => Of(Code(linux.Errno), $"{operation} '{linux.Path ?? path}': {Errno.Describe(linux.Errno)}", Errno.Name(linux.Errno).ToLowerInvariant()),
        UnauthorizedAccessException => Of(ErrorCode.PermissionDenied, $"{operation} '{path}': {Errno.Describe(Errno.EACCES)}", "eacces"),
        FileNotFoundException or DirectoryNotFoundException => Of(ErrorCode.NotFound, $"{operation} '{path}': {Errno.Describe(Errno.ENOENT)}", "enoent"),
        InvalidDataException or EndOfStreamException => Of(ErrorCode.InvalidArgument, $"{operation} '{path}': {e.Message}", "bad_content"),
        IOException => Of(ErrorCode.FailedPrecondition, $"{operation} '{path}': {e.Message}", null),
        _ => Of(ErrorCode.Internal, $"{operation} '{path}': {e.GetType().Name}: {e.Message}", null),
    };

    /// <summary>An argument the caller got wrong.</summary>
    public static VivariumException Invalid(string message, string? reason = null) => new(ErrorCode.InvalidArgument, message, reason: reason);

    private static ErrorInfo Of(ErrorCode code, string message, string? reason) => new() { Code = ErrorCodes.ToText(code), Message = message, Reason = reason };

    private static ErrorCode Code(int errno) => errno switch
    {
        Errno.ENOENT or Errno.ENODATA => ErrorCode.NotFound,
        Errno.EEXIST => ErrorCode.AlreadyExists,
        Errno.EACCES or Errno.EPERM => ErrorCode.PermissionDenied,
        Errno.EINVAL or Errno.ENAMETOOLONG or Errno.EXDEV => ErrorCode.InvalidArgument,
        Errno.ENOSPC or Errno.EDQUOT or Errno.ENOMEM or Errno.EMFILE or Errno.ENFILE => ErrorCode.ResourceExhausted,
        Errno.ENOSYS or Errno.EOPNOTSUPP => ErrorCode.Unimplemented,
        Errno.EIO => ErrorCode.DataLoss,
        _ => ErrorCode.FailedPrecondition,
    };
}
