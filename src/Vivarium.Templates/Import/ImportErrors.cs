using Vivarium.Linux;
using Vivarium.Wire.Errors;

namespace Vivarium.Templates.Import;

/// <summary>What can be wrong with what is imported, in words a user can act on.</summary>
internal static class ImportErrors
{
    private const int LongestQuote = 120;

    /// <summary>Not an image or archive we understand.</summary>
    internal static VivariumException Malformed(string what, Exception? inner = null) => new(
        ErrorCode.InvalidArgument, $"the import is refused: {what}", "make the archive or image again; 'skopeo copy' converts between formats", "bad_image", inner);

    /// <summary>An entry that tries to reach out of the root, or contradicts another.</summary>
    internal static VivariumException Unsafe(string entry, string why) => new(
        ErrorCode.InvalidArgument, $"the import is refused: the entry {Quote(entry)} {why}", "an archive made by a trustworthy tool has no such entry", "unsafe_entry");

    /// <summary>What it holds is not what its digest or size says, or it ends too early.</summary>
    internal static VivariumException Damaged(string what, Exception? inner = null) => new(
        ErrorCode.DataLoss, $"the import is refused: {what}", "copy or download it again", "damaged", inner);

    /// <summary>More than the configuration allows.</summary>
    internal static VivariumException TooLarge(string what, string key) => new(
        ErrorCode.ResourceExhausted, $"the import is refused: {what}", $"raise [templates] {key} if that is wanted", "import_too_large");

    /// <summary>Whatever reading or writing threw, as one of the above.</summary>
    internal static VivariumException Of(Exception e) => e switch
    {
        VivariumException known => known,
        EndOfStreamException => Damaged(e.Message, e),
        InvalidDataException => Malformed(e.Message, e),
        LinuxException { Errno: Errno.ENOSPC or Errno.EDQUOT } or IOException { HResult: Errno.ENOSPC } => new VivariumException(
            ErrorCode.ResourceExhausted, "the import stopped: there is no room left", "remove sandboxes or templates ('viv prune', 'viv template rm'), or enlarge the pool ([pool] size)", "pool_full", e),
        DllNotFoundException => new VivariumException(
            ErrorCode.FailedPrecondition, "the import is compressed with zstd and this machine has no libzstd", "install the package libzstd1, or decompress it first", "no_zstd", e),
        UnauthorizedAccessException => new VivariumException(ErrorCode.PermissionDenied, $"the import stopped: {e.Message}", inner: e),
        IOException => new VivariumException(ErrorCode.Unavailable, $"the import stopped: {e.Message}", inner: e),
        _ => new VivariumException(ErrorCode.Internal, $"the import failed: {e.Message}", "Look the operation id up in the daemon's log.", inner: e),
    };

    /// <summary>Text from an archive as it may be shown: control characters out, length bounded.</summary>
    internal static string Quote(string text)
    {
        var clean = new string([.. text.Take(LongestQuote).Select(c => char.IsControl(c) ? '?' : c)]);
        return clean.Length < text.Length ? $"'{clean}…'" : $"'{clean}'";
    }
}
