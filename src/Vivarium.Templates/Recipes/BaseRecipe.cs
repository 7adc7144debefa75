using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Errors;

namespace Vivarium.Templates.Recipes;

/// <summary>
/// Debian 12 as people expect it, by mmdebstrap: small, without documentation and recommended packages, with the ordinary user <c>user</c>. It runs in mount and
/// process namespaces of its own, so that a build that is cancelled or killed leaves neither processes nor mounts behind.
/// </summary>
internal sealed class BaseRecipe(TemplateOptions options) : ITemplateRecipe
{
    private const string Codename = "bookworm";
    private const string Revision = "1";
    private const string MergedUsrHook = "/usr/share/mmdebstrap/hooks/merged-usr";
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(30);

    /// <summary>git, curl, python3 and CA certificates are what agents reach for; less and nano what people miss in the first minute.</summary>
    private static readonly string[] Packages =
        ["usr-is-merged", "bash", "coreutils", "git", "curl", "ca-certificates", "python3", "procps", "less", "nano-tiny"];

    private static readonly string[] DpkgOptions =
    [
        "force-unsafe-io", "path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright", "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/info/*",
        "path-exclude=/usr/share/locale/*", "path-include=/usr/share/locale/locale.alias",
    ];

    /// <summary>Packages of earlier builds go in; what this build used stays, what it did not use goes.</summary>
    private const string FillCache = """mkdir -p "$1/var/cache/apt/archives/partial" && find "$VIVARIUM_APT_CACHE" -name '*.deb' -exec cp -t "$1/var/cache/apt/archives/" {} +""";
    private const string KeepCache = """
        cd "$1/var/cache/apt/archives" && for f in *.deb; do
          [ -e "$VIVARIUM_APT_CACHE/$f" ] || { cp "$f" "$VIVARIUM_APT_CACHE/$f.new" && mv "$VIVARIUM_APT_CACHE/$f.new" "$VIVARIUM_APT_CACHE/$f"; }
        done; cd "$VIVARIUM_APT_CACHE" && for f in *; do [ -e "$1/var/cache/apt/archives/$f" ] || rm -f "$f"; done
        """;

    public string Name => "base";

    public TemplateMetadata Metadata { get; } = new()
    {
        Description = "Debian 12 with bash, git, curl and python3",
        Env = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["LANG"] = "C.UTF-8" },
    };

    public string? CacheKey()
    {
        var text = $"{Revision}\n{RuntimeInformation.OSArchitecture}\n{string.Join(' ', Packages)}\n{string.Join(' ', DpkgOptions)}\n"
            + $"{AptConfiguration.Sources(options.Mirror, Codename)}\n{options.ReadAuthorities()}";
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16];
    }

    public async Task MakeAsync(string root, Action<TemplateProgress> progress, CancellationToken cancellationToken)
    {
        RefuseWhereImpossible();
        progress(new TemplateProgress("prepare", 0, "reading the package sources of this host"));
        Directory.CreateDirectory(options.PackageCache);
        var scratch = Directory.CreateTempSubdirectory("vivarium-template-").FullName;
        try
        {
            using var authorities = BuildAuthorities.Of(options.ReadAuthorities());
            var arguments = await ArgumentsAsync(root, scratch, authorities, cancellationToken).ConfigureAwait(false);
            var reading = new DebootstrapProgress(progress);
            var run = new ChildRunOptions
            {
                Env = AptConfiguration.Environment(options.PackageCache), Timeout = Deadline, MaxOutputBytes = 64 * 1024, OnOutput = reading.Take, DieWithParent = true,
            };
            var made = await ChildRun.RunAsync(BuildNamespace.Program, arguments, run, cancellationToken).ConfigureAwait(false);
            if (!made.Succeeded)
            {
                throw Failure(made, reading.Errors);
            }
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }

        progress(new TemplateProgress("finish", 0.94, "adding the user and removing traces of this host"));
        Finish(root);
    }

    private async Task<List<string>> ArgumentsAsync(string root, string scratch, BuildAuthorities? authorities, CancellationToken cancellationToken)
    {
        var aptOptions = Path.Combine(scratch, "apt.conf");
        await File.WriteAllLinesAsync(
            aptOptions,
            [.. await AptConfiguration.OptionsAsync(cancellationToken).ConfigureAwait(false), "Acquire::Languages \"none\";", "APT::Install-Recommends \"false\";", .. authorities?.AptOptions ?? []],
            cancellationToken).ConfigureAwait(false);
        List<string> arguments =
        [
            .. BuildNamespace.Arguments(root),
            "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", "--verbose", $"--include={string.Join(',', Packages)}",
            $"--hook-dir={MergedUsrHook}", "--skip=download/empty", "--skip=essential/unlink", $"--aptopt={aptOptions}",
            .. DpkgOptions.Select(option => $"--dpkgopt={option}"),
            $"--setup-hook={FillCache}", $"--customize-hook={KeepCache}", Codename, root,
        ];
        if (AptConfiguration.Sources(options.Mirror, Codename) is { } sources)
        {
            var file = Path.Combine(scratch, "debian.sources");
            await File.WriteAllBytesAsync(file, Encoding.UTF8.GetBytes(sources), cancellationToken).ConfigureAwait(false);
            arguments.Add(file);
        }

        return arguments;
    }

    /// <summary>What packages cannot know: the user; and what mmdebstrap copied from this host for its own use.</summary>
    private void Finish(string root)
    {
        var files = new RootFiles(root);
        files.Append("etc/passwd", BaseUser.PasswdLine("/bin/bash"));
        files.Append("etc/group", BaseUser.GroupLine);
        files.Append("etc/shadow", BaseUser.ShadowLine);
        if (File.Exists(files.PathOf("etc/gshadow")))
        {
            files.Append("etc/gshadow", "user:!::\n");
        }

        files.Folder("home/user");
        foreach (var skeleton in Directory.EnumerateFiles(files.PathOf("etc/skel")))
        {
            var copy = $"home/user/{Path.GetFileName(skeleton)}";
            File.Copy(skeleton, files.PathOf(copy));
            File.SetUnixFileMode(files.PathOf(copy), RootFiles.FileMode);
            files.Owner(copy, BaseUser.Id, BaseUser.Id);
        }

        files.Owner("home/user", BaseUser.Id, BaseUser.Id);
        files.Text("etc/hosts", BaseUser.Hosts);
        files.Text("etc/resolv.conf", "");
        files.Text("etc/hostname", "localhost\n");
        files.Text("etc/machine-id", "");
        files.Text("etc/apt/apt.conf.d/99mmdebstrap", "Acquire::Languages \"none\";\nAPT::Install-Recommends \"false\";\n");
        files.Remove("var/cache/ldconfig/aux-cache");
        if (options.ReadAuthorities() is { } pem)
        {
            files.AddAuthorities(pem);
        }

        var sources = files.PathOf("etc/apt/sources.list.d/0000debian.sources");
        if (File.Exists(sources))
        {
            // Credentials in a URI are the host's, not the sandboxes'.
            var clean = System.Text.RegularExpressions.Regex.Replace(File.ReadAllText(sources), "://[^/@\\s]+@", "://");
            files.Text("etc/apt/sources.list.d/0000debian.sources", clean);
        }
    }

    private static void RefuseWhereImpossible()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            throw new VivariumException(ErrorCode.PermissionDenied, "building template 'base' needs root", "run the daemon as root, or use the template 'tiny'");
        }

        if (!File.Exists("/usr/bin/mmdebstrap"))
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition, "building template 'base': the program mmdebstrap is not installed", "install the package mmdebstrap", "mmdebstrap_missing");
        }
    }

    private static VivariumException Failure(ChildOutput made, string errors)
    {
        var said = errors.Length > 0 ? errors : made.Summary;
        var all = errors + made.StderrText;
        if (all.Contains("No space left on device", StringComparison.Ordinal))
        {
            return new VivariumException(
                ErrorCode.ResourceExhausted, "building template 'base': the pool has no room left", "remove sandboxes you no longer need, or enlarge the pool", "pool_full");
        }

        return all.Contains("Failed to fetch", StringComparison.Ordinal) || all.Contains("Temporary failure resolving", StringComparison.Ordinal)
            ? new VivariumException(
                ErrorCode.Unavailable,
                $"building template 'base': packages could not be downloaded ({said})",
                "check the network and the Debian sources of this host, or set [templates] mirror",
                "packages_unavailable")
            : new VivariumException(ErrorCode.Internal, $"building template 'base' failed: {said}");
    }
}
