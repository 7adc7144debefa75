using Vivarium.Linux.Tar;

namespace Vivarium.Templates.Import;

/// <summary>
/// Extended attributes that belong to a root file system. Others are about the machine it was packed on (labels of SELinux, integrity signatures,
/// overlay bookkeeping) and would be wrong or harmful here.
/// </summary>
internal static class ImportedAttributes
{
    private const int LongestName = 255;
    private const string UserPrefix = "user.";

    internal static bool Keeps(string name, TarEntryType type) => name switch
    {
        "security.capability" => type == TarEntryType.File,
        "system.posix_acl_access" => type is TarEntryType.File or TarEntryType.Directory,
        "system.posix_acl_default" => type == TarEntryType.Directory,
        _ => name.StartsWith(UserPrefix, StringComparison.Ordinal) && name.Length is > 5 and <= LongestName && !name.Contains('\0')
            && type is TarEntryType.File or TarEntryType.Directory,
    };
}
