using Vivarium.Wire.Errors;

namespace Vivarium.Volumes;

/// <summary>Where volumes lie in a pool, and what half-made ones are called.</summary>
internal sealed class PoolLayout(string root)
{
    internal const string PartialSuffix = ".partial";
    internal const string DeletingSuffix = ".deleting";
    private const int MaximumKeyLength = 80;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    internal static readonly IReadOnlyList<VolumeKind> Kinds = [VolumeKind.Template, VolumeKind.Sandbox, VolumeKind.Snapshot];

    internal string Root { get; } = root;

    /// <summary>Makes the folders. Only their owner may look in: what tenants made executable or readable there is not for other users of the host.</summary>
    internal void EnsureFolders()
    {
        Directory.CreateDirectory(Root, OwnerOnly);
        File.SetUnixFileMode(Root, OwnerOnly);
        foreach (var kind in Kinds)
        {
            Directory.CreateDirectory(FolderOf(kind), OwnerOnly);
        }
    }

    internal string FolderOf(VolumeKind kind) => Path.Combine(Root, kind switch
    {
        VolumeKind.Template => "templates",
        VolumeKind.Sandbox => "sandboxes",
        VolumeKind.Snapshot => "snapshots",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    });

    internal string PathOf(VolumeKind kind, string key) => Path.Combine(FolderOf(kind), Checked(key));

    internal string PartialOf(VolumeKind kind, string key) => PathOf(kind, key) + PartialSuffix;

    internal string DeletingOf(VolumeKind kind, string key) => PathOf(kind, key) + DeletingSuffix;

    internal bool Exists(VolumeKind kind, string key) => Directory.Exists(PathOf(kind, key));

    internal IReadOnlyList<string> List(VolumeKind kind)
    {
        var keys = new List<string>();
        foreach (var path in Directory.EnumerateDirectories(FolderOf(kind)))
        {
            var name = Path.GetFileName(path);
            if (IsKey(name))
            {
                keys.Add(name);
            }
        }

        keys.Sort(StringComparer.Ordinal);
        return keys;
    }

    /// <summary>Paths of half-made and half-removed volumes.</summary>
    internal List<string> Leftovers()
    {
        var found = new List<string>();
        foreach (var kind in Kinds)
        {
            found.AddRange(Directory.EnumerateDirectories(FolderOf(kind))
                .Where(path => path.EndsWith(PartialSuffix, StringComparison.Ordinal) || path.EndsWith(DeletingSuffix, StringComparison.Ordinal)));
        }

        return found;
    }

    private static string Checked(string key) => IsKey(key)
        ? key
        : throw new VivariumException(ErrorCode.InvalidArgument, $"'{key}' is not a volume key: 1 to {MaximumKeyLength} of a-z, 0-9 and '-'");

    private static bool IsKey(string key) =>
        key.Length is > 0 and <= MaximumKeyLength && key.All(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-');
}
