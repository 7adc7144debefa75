using Vivarium.Templates.Import;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Storage.Tests.Templates.Import;

/// <summary>Every form a template comes in, compared with what umoci and tar make of the same, and every way out again.</summary>
public sealed class ImportTests(ImportFixture fixture) : IClassFixture<ImportFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_image_unpacks_to_what_umoci_makes_of_it()
    {
        var imported = await fixture.ImportAsync(fixture.Layout);
        await Shell.RunAsync($"umoci raw unpack --image {fixture.Layout}:app {fixture.Work}/umoci");
        Assert.Equal(await ImportFixture.ListAsync(fixture.Work + "/umoci"), await ImportFixture.ListAsync(fixture.RootOf(imported.Record)));
        Assert.Empty(imported.Warnings);
        var metadata = imported.Record.Metadata;
        Assert.Equal(("1000:1001", "/etc", "an app", "linux/amd64"), (metadata.User, metadata.Workdir, metadata.Description, metadata.Platform));
        Assert.Equal(["A=1", "PATH=/bin"], metadata.Env.Select(pair => $"{pair.Key}={pair.Value}"));
        Assert.Equal(["/bin/tool"], metadata.Entrypoint!);
        Assert.Equal(["x", "y z"], metadata.Command!);
        Assert.Equal(["80/tcp"], metadata.ExposedPorts!);
    }

    [Fact]
    public async Task Every_form_of_an_image_has_one_digest()
    {
        await Shell.RunAsync($$"""
            cd {{fixture.Work}}; tar -C layout -cf layout.tar .; gzip -k layout.tar; zstd -q layout.tar
            skopeo --insecure-policy copy -q oci:layout:app docker-archive:saved.tar:app:latest
            skopeo --insecure-policy copy -q --dest-compress-format zstd --dest-compress oci:layout:app oci:zst:app
            """);
        var digest = (await fixture.ImportAsync(fixture.Layout)).Record.Digest;
        foreach (var form in new[] { "layout.tar", "layout.tar.gz", "layout.tar.zst", "saved.tar", "zst" })
        {
            Assert.Equal((form, digest), (form, (await fixture.ImportAsync($"{fixture.Work}/{form}", "again")).Record.Digest));
        }
    }

    /// <summary>docker save of engine 25 and later: an OCI layout with names as containerd writes them, and manifest.json beside it. Before that: a directory a layer, shared ones as links.</summary>
    [Fact]
    public async Task What_docker_save_wrote_over_the_years_has_one_digest()
    {
        await Shell.RunAsync($$"""
            cd {{fixture.Work}}; cp -a layout newer; mkdir legacy
            python3 - <<'END'
            import hashlib, json, os, shutil
            blob = lambda root, d: root + '/blobs/' + d.replace(':', '/')
            index = json.load(open('newer/index.json'))
            top = index['manifests'][0]
            manifest = json.load(open(blob('newer', top['digest'])))
            top['annotations'] = {'io.containerd.image.name': 'docker.io/library/app:1.0', 'org.opencontainers.image.ref.name': '1.0'}
            json.dump(index, open('newer/index.json', 'w'))
            json.dump([{'Config': 'blobs/' + manifest['config']['digest'].replace(':', '/'), 'RepoTags': ['app:1.0'], 'Layers': ['blobs/' + l['digest'].replace(':', '/') for l in manifest['layers']]}], open('newer/manifest.json', 'w'))
            json.dump(dict(app=dict(tag='x')), open('newer/repositories', 'w'))
            config = open(blob('layout', manifest['config']['digest']), 'rb').read()
            name = hashlib.sha256(config).hexdigest() + '.json'
            open('legacy/' + name, 'wb').write(config)
            layers = []
            for i, l in enumerate(manifest['layers']):
                ident = hashlib.sha256(b'%d' % i).hexdigest()
                os.makedirs('legacy/%s' % ident)
                os.makedirs('legacy/real%d' % i)
                os.system('gzip -dc < %s > legacy/real%d/layer.tar' % (blob('layout', l['digest']), i))
                os.symlink('../real%d/layer.tar' % i, 'legacy/%s/layer.tar' % ident)
                open('legacy/%s/VERSION' % ident, 'w').write('1.0')
                layers.append(ident + '/layer.tar')
            json.dump([{'Config': name, 'RepoTags': ['app:1.0'], 'Layers': layers}], open('legacy/manifest.json', 'w'))
            END
            tar -C newer -cf newer.tar blobs index.json manifest.json oci-layout repositories; tar -C legacy -cf legacy.tar .
            """);
        var digest = (await fixture.ImportAsync(fixture.Layout)).Record.Digest;
        foreach (var form in new[] { "newer.tar", "legacy.tar" })
        {
            Assert.Equal((form, digest), (form, (await fixture.ImportAsync($"{fixture.Work}/{form}", "again")).Record.Digest));
            Assert.Equal((form, digest), (form, (await fixture.ImportAsync($"{fixture.Work}/{form}", "again", image: "app:1.0")).Record.Digest));
            Assert.Equal("no_such_image", (await Assert.ThrowsAsync<VivariumException>(() => fixture.ImportAsync($"{fixture.Work}/{form}", "none", image: "app:2.0"))).Reason);
        }
    }

    [Fact]
    public async Task A_directory_and_its_archives_are_the_same_files()
    {
        await Shell.RunAsync($$"""
            cd {{fixture.Work}}; tar -C tree --format=pax --xattrs --xattrs-include='*' --numeric-owner -cf tree.tar .
            gzip -k tree.tar; zstd -q tree.tar
            """);
        var expected = await ImportFixture.ListAsync(fixture.Tree);
        var digests = new HashSet<string>();
        foreach (var form in new[] { "tree", "tree.tar", "tree.tar.gz", "tree.tar.zst" })
        {
            var imported = await fixture.ImportAsync($"{fixture.Work}/{form}", "files");
            Assert.Equal(expected, await ImportFixture.ListAsync(fixture.RootOf(imported.Record)));
            digests.Add(imported.Record.Digest);
        }

        Assert.Single(digests);
    }

    [Theory]
    [InlineData("oci")]
    [InlineData("docker")]
    public async Task An_exported_image_is_the_same_bytes_each_time_and_the_same_template_again(string format)
    {
        var record = (await fixture.ImportAsync(fixture.Layout, "round")).Record;
        string first = $"{fixture.Work}/{format}-1.tar", second = $"{fixture.Work}/{format}-2.tar";
        await ExportAsync("round", format, first);
        var reply = await ExportAsync("round@" + record.Digest, format, second);
        Assert.Equal((record.Digest, new FileInfo(first).Length), (reply.Digest, reply.Bytes));
        await Shell.RunAsync($"cmp {first} {second}");
        var transport = format == "oci" ? "oci-archive" : "docker-archive";
        Assert.Contains("80/tcp", await Shell.RunAsync($"skopeo --insecure-policy inspect --config {transport}:{first}"), StringComparison.Ordinal);
        await Shell.RunAsync($"skopeo --insecure-policy copy -q {transport}:{first} oci:{fixture.Work}/copied-{format}:again");
        Assert.Equal(record.Digest, (await fixture.ImportAsync(first, "second")).Record.Digest);
        Assert.Equal(record.Digest, (await fixture.ImportAsync($"{fixture.Work}/copied-{format}", "third")).Record.Digest);
        Assert.Equal(ErrorCode.InvalidArgument, await CodeOf(() => ExportAsync("round", format, first)));
    }

    [Fact]
    public async Task An_exported_archive_holds_the_files()
    {
        var record = (await fixture.ImportAsync(fixture.Tree, "plain")).Record;
        await ExportAsync(record.Digest[..17], "tar", fixture.Work + "/plain.tar");
        Assert.Equal(record.Digest, (await fixture.ImportAsync(fixture.Work + "/plain.tar", "plain-again")).Record.Digest);
        await Shell.RunAsync($"mkdir {fixture.Work}/untarred; tar -C {fixture.Work}/untarred --xattrs --xattrs-include='*' -xpf {fixture.Work}/plain.tar");
        Assert.Equal(await ImportFixture.ListAsync(fixture.Tree), await ImportFixture.ListAsync(fixture.Work + "/untarred"));
    }

    [Fact]
    public async Task The_platform_chooses_among_images()
    {
        await Shell.RunAsync($$"""
            cd {{fixture.Work}}; cp -a layout multi; umoci new --image multi:arm; umoci config --image multi:arm --architecture arm64 --os linux
            python3 - <<'END'
            import hashlib, json
            index = json.load(open('multi/index.json'))
            by = {m['annotations']['org.opencontainers.image.ref.name']: m for m in index['manifests']}
            inner = []
            for name, arch in (('app', 'amd64'), ('arm', 'arm64')):
                inner.append({k: by[name][k] for k in ('mediaType', 'digest', 'size')} | dict(platform=dict(os='linux', architecture=arch)))
            inner.append(inner[0] | dict(platform=dict(os='unknown', architecture='unknown')))
            body = json.dumps({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.index.v1+json', 'manifests': inner}).encode()
            digest = hashlib.sha256(body).hexdigest()
            open('multi/blobs/sha256/' + digest, 'wb').write(body)
            json.dump(dict(schemaVersion=2, manifests=[dict(mediaType='application/vnd.oci.image.index.v1+json', digest='sha256:' + digest, size=len(body))]), open('multi/index.json', 'w'))
            END
            """);
        Assert.Equal((await fixture.ImportAsync(fixture.Layout)).Record.Digest, (await fixture.ImportAsync(fixture.Work + "/multi", "multi")).Record.Digest);
        Assert.Equal("linux/arm64", (await fixture.ImportAsync(fixture.Work + "/multi", "arm", "linux/arm64")).Record.Metadata.Platform);
        var error = await Assert.ThrowsAsync<VivariumException>(() => fixture.ImportAsync(fixture.Work + "/multi", "none", "linux/s390x"));
        Assert.Equal("no_such_platform", error.Reason);
        Assert.Contains("linux/amd64, linux/arm64", error.Message, StringComparison.Ordinal);
        Assert.Equal("no_such_image", (await Assert.ThrowsAsync<VivariumException>(() => fixture.ImportAsync(fixture.Layout, "none", image: "other"))).Reason);
    }

    [Fact]
    public async Task Names_are_given_taken_and_kept()
    {
        var record = (await fixture.ImportAsync(fixture.Tree, "named")).Record;
        Assert.Equal(ErrorCode.AlreadyExists, await CodeOf(() => fixture.Store.ImportAsync(new ImportParams { Path = fixture.Layout, Name = "named" }, null, Token)));
        Assert.Equal(ErrorCode.AlreadyExists, await CodeOf(() => fixture.Store.ImportAsync(new ImportParams { Path = fixture.Layout, Name = "tiny" }, null, Token)));
        Assert.Equal(record.Digest, fixture.Store.Tag(new TagParams { Ref = record.Digest, Name = "further" }).Digest);
        Assert.Equal(record.Digest, fixture.Store.Find($"whatever@{record.Digest}")!.Digest);
        Assert.Null(fixture.Store.Find($"named@sha256:{new string('0', 64)}"));
        await fixture.Store.RemoveAsync("named", Token);
        Assert.Equal(record.Digest, fixture.Store.Find("further")!.Digest);
        Assert.Null(fixture.Store.Find("named"));
    }

    [Fact]
    public async Task Limits_and_cancellation_leave_nothing()
    {
        var before = fixture.Volumes.List(VolumeKind.Template).Count;
        var small = fixture.Open(new ImportLimits(1 << 20, 1000));
        Assert.Equal(ErrorCode.ResourceExhausted, await CodeOf(() => small.ImportAsync(new ImportParams { Path = fixture.Layout, Name = "big" }, null, Token)));
        var few = fixture.Open(new ImportLimits(1 << 30, 5));
        Assert.Equal(ErrorCode.ResourceExhausted, await CodeOf(() => few.ImportAsync(new ImportParams { Path = fixture.Tree, Name = "many" }, null, Token)));
        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fixture.Store.ImportAsync(
            new ImportParams { Path = fixture.Layout, Name = "cut" }, progress => { if (progress.Stage == "unpack") { cancel.Cancel(); } }, cancel.Token));
        Assert.Equal(before, fixture.Volumes.List(VolumeKind.Template).Count);
        Assert.Empty(await fixture.Volumes.ReclaimAsync(Token));
    }

    private Task<ExportReply> ExportAsync(string reference, string format, string path) =>
        fixture.Store.ExportAsync(new ExportParams { Ref = reference, Format = format, Path = path }, null, Token);

    private static async Task<ErrorCode> CodeOf(Func<Task> action) => (await Assert.ThrowsAsync<VivariumException>(action)).Code;
}
