namespace Vivarium.Templates.Recipes;

/// <summary>
/// Mount and process namespaces for a program that builds a root filesystem: what it mounts and starts goes with it, also when it is killed. A new mount
/// namespace has a copy of every mount of the machine, and a copy of another pool would keep that pool's loop device attached for as long as the
/// build takes after that pool was unmounted; so the copies of pools that are not built in are let go first. Sources: unshare(1), mount_namespaces(7).
/// </summary>
internal static class BuildNamespace
{
    /// <summary>
    /// A pool is known by the file beside its directory. All mounts of its file system go, also those of single volumes, but none of the file system
    /// that is built in.
    /// </summary>
    private const string LetOtherPoolsGo = """
        root=$1; shift
        own= others=
        while read -r id parent device tree point rest; do
          point=$(printf '%b' "$point")
          [ -f "$point.img" ] || continue
          case $root in "$point"/*) own=$device ;; *) others="$others $device " ;; esac
        done </proc/self/mountinfo
        while read -r id parent device tree point rest; do
          [ "$device" != "$own" ] || continue
          case $others in *" $device "*) umount -l "$(printf '%b' "$point")" 2>/dev/null || : ;; esac
        done </proc/self/mountinfo
        exec "$@"
        """;

    /// <summary>The program that makes the namespaces.</summary>
    internal const string Program = "unshare";

    /// <summary>Arguments of <see cref="Program"/>; those of the build's own program come behind them.</summary>
    /// <param name="root">The directory that is built in.</param>
    internal static IReadOnlyList<string> Arguments(string root) =>
        ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", "--", "/bin/sh", "-c", LetOtherPoolsGo, "build", root];
}
