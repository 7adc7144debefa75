using Vivarium.Storage.Tests.Volumes;
using Vivarium.Templates;
using Vivarium.Templates.Import;
using Vivarium.Volumes;
using Vivarium.Wire.Host;

namespace Vivarium.Storage.Tests.Templates.Import;

/// <summary>A store of the class, a directory to work in, and a tree that has everything a root file system can have.</summary>
public sealed class ImportFixture : IAsyncLifetime
{
    private StoreFixture fixture = null!;

    public TemplateStore Store { get; private set; } = null!;

    public string Work { get; } = Directory.CreateTempSubdirectory("viv-import-").FullName;

    /// <summary>A plain root file system, made by the shell.</summary>
    public string Tree => Work + "/tree";

    public IVolumeStore Volumes => fixture.Store;

    /// <summary>Two layers of an image with whiteouts, and the image made of them by umoci.</summary>
    public string Layout => Work + "/layout";

    public async ValueTask InitializeAsync()
    {
        fixture = await StoreFixture.OpenAsync("btrfs", 1L << 30);
        Store = Open(ImportLimits.Default);
        await Shell.RunAsync($$"""
            mkdir -p {{Tree}}; cd {{Tree}}
            mkdir -m 0755 bin etc usr usr/lib var; mkdir -m 1777 tmp; mkdir -m 0700 root; mkdir -p lower/deep keep/old
            printf 'hello\n' > etc/hello; printf '#!/bin/sh\n' > bin/tool; chmod 4755 bin/tool; chmod 2750 var
            ln bin/tool usr/lib/tool; ln -s ../etc/hello usr/link; ln -s /nowhere usr/dangling; mkfifo var/pipe
            printf x > lower/deep/file; printf old > keep/old/file; printf gone > etc/gone
            printf cap > bin/ping; chmod 0755 bin/ping; setcap cap_net_raw+ep bin/ping 2>/dev/null || python3 -c 'import os; os.setxattr("bin/ping", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))'
            python3 -c 'import os; os.setxattr("etc/hello", "user.origin", b"a\x00b"); open(b"etc/n\xffme", "w").close(); open("var/"+"long"*50, "w").close()'
            truncate -s 3M var/zeros; chown 1000:1001 etc/hello; chown -h 7:8 usr/link
            find . -print0 | xargs -0 touch -h -d '2001-02-03 04:05:06.123456789'
            """);
        await Shell.RunAsync($$"""
            cd {{Work}}; umoci init --layout layout; umoci new --image layout:app
            mkdir one two two/lower two/keep two/keep/new two/fresh
            cp -a tree/. one/
            printf 2 > two/lower/second; : > two/lower/.wh..wh..opq; : > two/keep/.wh.old; mkdir two/etc; : > two/etc/.wh.gone; printf n > two/keep/new/file
            : > two/.wh.tmp; printf again > two/bin-replaces; mkdir two/usr; ln -s lib two/usr/dangling
            find two -print0 | xargs -0 touch -h -d '2005-06-07 08:09:10.5'
            tar -C one --format=pax --pax-option=delete=atime,delete=ctime --xattrs --xattrs-include='*' --numeric-owner -cf one.tar .
            tar -C two --format=pax --pax-option=delete=atime,delete=ctime --xattrs --numeric-owner -cf two.tar .
            umoci raw add-layer --image layout:app one.tar; umoci raw add-layer --image layout:app two.tar
            umoci config --image layout:app --config.user 1000:1001 --config.workingdir /etc --config.env A=1 --config.env 'PATH=/bin' --config.entrypoint /bin/tool --config.cmd x --config.cmd 'y z' --config.label org.opencontainers.image.description='an app' --config.exposedports 80/tcp --os linux --architecture amd64
            """);
    }

    public async ValueTask DisposeAsync()
    {
        await fixture.DisposeAsync();
        await Shell.RunAsync($"rm -rf {Work}");
    }

    public TemplateStore Open(ImportLimits limits) => new(
        fixture.Store, new TemplateOptions { StateDirectory = fixture.Options.StateDirectory, ImportLimits = limits }, _ => [], TimeProvider.System);

    public Task<ImportedTemplate> ImportAsync(string path, string name = "app", string? platform = null, string? image = null) => Store.ImportAsync(
        new ImportParams { Path = path, Name = name, Platform = platform, Image = image, Replace = true }, null, TestContext.Current.CancellationToken);

    public string RootOf(TemplateRecord record) => fixture.Store.PathOf(VolumeKind.Template, record.VolumeKey);

    /// <summary>Everything of a tree but its access and change times, a line an entry; hard links by the first name of their file.</summary>
    public static Task<string> ListAsync(string root) => Shell.RunAsync($$"""
        python3 - {{root}} <<'END'
        import hashlib, os, stat, sys
        root = sys.argv[1].encode()
        names = []
        for d, dirs, files in os.walk(root):
            names += [os.path.join(d, n) for n in dirs + files]
        first = {}
        for p in sorted(names) + [root]:
            s = os.lstat(p)
            rel = os.path.relpath(p, root)
            link = first.setdefault(s.st_ino, rel) if not stat.S_ISDIR(s.st_mode) else rel
            body = hashlib.sha256(open(p, 'rb').read()).hexdigest() if stat.S_ISREG(s.st_mode) else os.readlink(p) if stat.S_ISLNK(s.st_mode) else ''
            xattrs = [(a, os.getxattr(p, a, follow_symlinks=False).hex()) for a in sorted(os.listxattr(p, follow_symlinks=False))]
            print(rel, oct(s.st_mode), s.st_uid, s.st_gid, s.st_mtime_ns, link, body, xattrs)
        END
        """);
}
