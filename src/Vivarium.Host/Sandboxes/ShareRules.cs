using Vivarium.Host.Naming;
using Vivarium.Linux;
using Vivarium.Linux.Files;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>
/// What of the host may be shared and where it may appear inside. Links in the host path are followed here, once; the record holds where they led, and the
/// start of the sandbox follows none any more.
/// </summary>
internal static class ShareRules
{
    private const int MaxShares = 32;
    private const int MaxPathBytes = 4095;

    // At or below these a share would hide what the sandbox itself needs to start and to be trusted in.
    private static readonly string[] SystemPaths =
        ["/etc", "/bin", "/sbin", "/usr", "/lib", "/lib32", "/lib64", "/libx32", "/boot", "/dev", "/proc", "/sys", "/run", "/nix"];

    private static readonly string[] KernelPaths = ["/proc", "/sys", "/dev"];

    /// <summary>Checks the shares of a new sandbox and resolves their host paths; null when there are none.</summary>
    /// <exception cref="VivariumException">invalid_argument <c>bad_share</c>: which, and what it must be.</exception>
    public static IReadOnlyList<ShareSpec>? Resolve(IReadOnlyList<ShareSpec>? shares)
    {
        if (shares is null or { Count: 0 })
        {
            return null;
        }

        if (shares.Count > MaxShares)
        {
            throw Bad($"{shares.Count} shared directories are too many", $"Share at most {MaxShares}.", "too_many_shares");
        }

        List<ShareSpec> resolved = [.. shares.Select(Resolve)];
        var twice = resolved.GroupBy(static share => share.GuestPath, StringComparer.Ordinal).FirstOrDefault(static group => group.Count() > 1);
        return twice is null
            // An outer one is mounted before those inside it, whatever the order they were named in.
            ? [.. resolved.OrderBy(static share => share.GuestPath.Length)]
            : throw Bad($"the guest path {NameRules.Quote(twice.Key)} is used by two shares", "Give every share a guest path of its own.");
    }

    /// <summary>Refuses what would show a sandbox the state of Vivarium itself: secrets of others, sockets, the database.</summary>
    public static void RefuseOwn(IReadOnlyList<ShareSpec>? shares, params ReadOnlySpan<string> own)
    {
        foreach (var share in shares ?? [])
        {
            foreach (var path in own)
            {
                var real = Directory.Exists(path) ? RealPath.Of(path).Path : path;
                if (IsAtOrBelow(share.HostPath, real) || IsAtOrBelow(real, share.HostPath))
                {
                    throw Bad($"the host path {NameRules.Quote(share.HostPath)} holds or is part of Vivarium's own {real}", "Share a directory of your own instead.");
                }
            }
        }
    }

    private static ShareSpec Resolve(ShareSpec share)
    {
        if (share.HostPath is not { } host || !IsAbsoluteClean(host))
        {
            throw Bad($"the host path {NameRules.Quote(share.HostPath ?? "")} of a share is not an absolute path without '..'", "Give the absolute path of a file or directory.");
        }

        if (share.GuestPath is not { } guest || !IsAbsoluteClean(guest) || guest.Contains(':', StringComparison.Ordinal))
        {
            throw Bad($"the guest path {NameRules.Quote(share.GuestPath ?? "")} of a share is not an absolute path without '..'", "Give a path such as /workspace.");
        }

        var clean = "/" + string.Join('/', guest.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(static part => part != "."));
        if (clean == "/" || Array.Find(SystemPaths, system => IsAtOrBelow(clean, system)) is not null)
        {
            throw Bad(
                $"the guest path {NameRules.Quote(guest)} is the sandbox's own", $"Give a path outside {string.Join(", ", SystemPaths)}, such as /workspace or /mnt/data.");
        }

        RealPath real;
        try
        {
            real = RealPath.Of(host);
        }
        catch (LinuxException e)
        {
            throw Bad($"the host path {NameRules.Quote(host)} of a share cannot be opened: {e.Message}", "Give the absolute path of a file or directory that exists.");
        }

        if (real.Status.Kind is not (FileKind.Directory or FileKind.Regular))
        {
            throw Bad($"the host path {NameRules.Quote(host)} is neither a directory nor a regular file", "Devices, sockets and pipes of the host are not shared.");
        }

        return real.Path == "/" || Array.Exists(KernelPaths, kernel => real.Path == kernel || (kernel != "/dev" && IsAtOrBelow(real.Path, kernel)))
            ? throw Bad($"the host path {NameRules.Quote(host)} is {real.Path}, which is the host itself", "Share a directory below it.")
            : new ShareSpec { HostPath = real.Path, GuestPath = clean, ReadOnly = share.ReadOnly };
    }

    private static bool IsAtOrBelow(string path, string directory) => path == directory || path.StartsWith(directory.TrimEnd('/') + "/", StringComparison.Ordinal);

    private static bool IsAbsoluteClean(string path) =>
        path.Length is > 0 and <= MaxPathBytes && path[0] == '/' && !path.Any(char.IsControl) && !path.Split('/').Contains("..");

    private static VivariumException Bad(string what, string hint, string reason = "bad_share") =>
        new(ErrorCode.InvalidArgument, "creating a sandbox: " + what, hint, reason);
}
