using Vivarium.Linux.Processes;
using Vivarium.Wire.Errors;

namespace Vivarium.Templates.Recipes;

/// <summary>busybox and the files a Unix expects around it: made in a blink, enough for shells and tests.</summary>
internal sealed class TinyRecipe(TemplateOptions options) : ITemplateRecipe
{
    private static readonly string[] Places = ["/bin/busybox", "/usr/bin/busybox", "/sbin/busybox", "/usr/local/bin/busybox"];
    private static readonly string[] Folders =
    [
        "bin", "sbin", "usr", "usr/bin", "usr/sbin", "usr/lib", "usr/local", "usr/local/bin", "usr/share", "lib", "lib64", "etc", "etc/ssl", "etc/ssl/certs", "etc/profile.d", "dev", "proc", "sys",
        "run", "mnt", "opt", "srv", "home", "var", "var/log", "var/lib", "var/cache", "var/spool",
    ];

    public string Name => "tiny";

    public TemplateMetadata Metadata { get; } = new() { Description = "busybox in an otherwise empty file system" };

    public string? CacheKey() => null;

    public async Task MakeAsync(string root, Action<TemplateProgress> progress, CancellationToken cancellationToken)
    {
        progress(new TemplateProgress("extract", 0.1, "copying busybox"));
        var busybox = Places.FirstOrDefault(IsStatic) ?? throw new VivariumException(
            ErrorCode.FailedPrecondition,
            "building template 'tiny': there is no statically linked busybox on this host",
            "install the package busybox-static",
            "busybox_missing");
        var listed = await ChildRun.RunAsync(busybox, ["--list-full"], null, cancellationToken).ConfigureAwait(false);
        if (!listed.Succeeded)
        {
            throw new VivariumException(ErrorCode.Internal, $"building template 'tiny': '{busybox} --list-full' {listed.Summary}");
        }

        var files = new RootFiles(root);
        foreach (var folder in Folders)
        {
            files.Folder(folder);
        }

        files.Folder("tmp", RootFiles.OpenToAll);
        files.Folder("var/tmp", RootFiles.OpenToAll);
        files.Folder("root", RootFiles.OwnerOnly);
        files.Folder("home/user");
        files.Owner("home/user", BaseUser.Id, BaseUser.Id);
        File.Copy(busybox, files.PathOf("bin/busybox"));
        File.SetUnixFileMode(files.PathOf("bin/busybox"), RootFiles.DirectoryMode);
        foreach (var applet in listed.StdoutText.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            Link(files, applet);
        }

        WriteConfiguration(files);
        if (options.ReadAuthorities() is { } pem)
        {
            files.AddAuthorities(pem);
        }

        progress(new TemplateProgress("finish", 0.8, "busybox is in place"));
    }

    /// <summary>Applets come as relative paths such as <c>usr/bin/awk</c>; those in folders we do not have are left out.</summary>
    private static void Link(RootFiles files, string applet)
    {
        if (applet is "bin/busybox" or "linuxrc" || applet.Contains("..", StringComparison.Ordinal) || !Directory.Exists(Path.GetDirectoryName(files.PathOf(applet))))
        {
            return;
        }

        files.Link(applet, "/bin/busybox");
    }

    private static void WriteConfiguration(RootFiles files)
    {
        files.Text("etc/passwd", $"root:x:0:0:root:/root:/bin/sh\n{BaseUser.PasswdLine("/bin/sh")}nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n");
        files.Text("etc/group", $"root:x:0:\ntty:x:5:\n{BaseUser.GroupLine}nogroup:x:65534:\n");
        files.Text("etc/shadow", $"root:*:19000:0:99999:7:::\n{BaseUser.ShadowLine}nobody:*:19000:0:99999:7:::\n", UnixFileMode.UserRead | UnixFileMode.UserWrite);
        files.Text("etc/hosts", BaseUser.Hosts);
        files.Text("etc/resolv.conf", "");
        files.Text("etc/shells", "/bin/sh\n/bin/ash\n");
        files.Text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
        files.Text("etc/os-release", "NAME=\"Vivarium tiny\"\nID=vivarium-tiny\nPRETTY_NAME=\"Vivarium tiny (busybox)\"\n");
        files.Text("etc/profile", "export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexport PS1='\\u@\\h:\\w\\$ '\nfor f in /etc/profile.d/*.sh; do [ -r \"$f\" ] && . \"$f\"; done; unset f\n");
    }

    /// <summary>An ELF file that names no interpreter, so that it runs where there is no libc.</summary>
    private static bool IsStatic(string path)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        const int headerBytes = 64, programHeaderBytes = 56, interpreter = 3;
        Span<byte> header = stackalloc byte[headerBytes];
        using var file = File.OpenHandle(path);
        if (RandomAccess.Read(file, header, 0) < headerBytes || !header.StartsWith("\u007FELF"u8))
        {
            return false;
        }

        var offset = (long)BitConverter.ToUInt64(header[32..]);
        var count = BitConverter.ToUInt16(header[56..]);
        Span<byte> program = stackalloc byte[programHeaderBytes];
        for (var i = 0; i < count; i++)
        {
            if (RandomAccess.Read(file, program, offset + (i * programHeaderBytes)) < programHeaderBytes || BitConverter.ToUInt32(program) == interpreter)
            {
                return false;
            }
        }

        return true;
    }
}
