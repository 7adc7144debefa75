using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Trust;

/// <summary>
/// <c>[templates] ca_certificates</c>: programs in a sandbox trust what the host's owner trusts. The server stands in the sandbox itself, so that this needs no
/// network: a package mirror over TLS whose authority only the configuration names, as behind a TLS-inspecting proxy.
/// </summary>
public sealed class AuthorityTests(PrivateBaseDaemon daemon) : VivTest(daemon), IClassFixture<PrivateBaseDaemon>
{
    // A flat repository of one package, served over TLS; then everything that brings an idea of trust of its own.
    private const string Serve = """
        set -e
        mkdir -p /tmp/repo/pkg/DEBIAN /tmp/repo/pkg/usr/share/viv-test; echo installed >/tmp/repo/pkg/usr/share/viv-test/proof
        printf 'Package: viv-test\nVersion: 1.0\nArchitecture: all\nMaintainer: test <t@example.org>\nDescription: test\n' >/tmp/repo/pkg/DEBIAN/control
        cd /tmp/repo; dpkg-deb -b pkg viv-test_1.0_all.deb >/dev/null
        { dpkg-deb -f viv-test_1.0_all.deb; echo "Filename: ./viv-test_1.0_all.deb"; echo "Size: $(stat -c %s viv-test_1.0_all.deb)"; echo "SHA256: $(sha256sum viv-test_1.0_all.deb | cut -d' ' -f1)"; } >Packages
        echo hello >hello
        cat >/tmp/server.py <<'PY'
        import http.server, ssl, os
        os.chdir('/tmp/repo')
        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *a): pass
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 8443), Quiet)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain('/tmp/server.pem')
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.serve_forever()
        PY
        setsid python3 /tmp/server.py >/tmp/server.log 2>&1 </dev/null &
        i=0; until curl -sk https://localhost:8443/hello >/dev/null; do i=$((i+1)); [ $i -lt 300 ] || { cat /tmp/server.log; exit 9; }; sleep 0.05; done
        """;

    private const string Fetch = """
        curl -s https://localhost:8443/hello
        python3 -c "import urllib.request; print(urllib.request.urlopen('https://localhost:8443/hello').read().decode(), end='')"
        git ls-remote https://localhost:8443/ 2>&1 | grep -c -i certificate
        rm -f /etc/apt/sources.list.d/* ; echo 'deb [trusted=yes] https://localhost:8443/ ./' >/etc/apt/sources.list
        apt-get -qq update >/tmp/apt.log 2>&1 && apt-get -qq install -y --no-install-recommends viv-test >>/tmp/apt.log 2>&1 || tail -n 5 /tmp/apt.log
        cat /usr/share/viv-test/proof
        """;

    private const string Trusted = "hello\nhello\n0\ninstalled\n";

    [Fact]
    public async Task Sandboxes_trust_the_authorities_of_the_host_and_follow_its_configuration()
    {
        using var authority = new PrivateAuthority("Vivarium test authority");
        using var other = new PrivateAuthority("Another test authority");
        var first = Path.Combine(Daemon.Home, "authority.pem");
        var second = Path.Combine(Daemon.Home, "other.pem");
        var server = Path.Combine(Daemon.Home, "server.pem");
        await File.WriteAllTextAsync(first, authority.Pem, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(second, other.Pem, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(server, authority.IssueServer("localhost"), TestContext.Current.CancellationToken);
        await ConfigureAsync($"{first}:{second}");
        try
        {
            await TrustAsync("container", server);
            await TrustAsync("gvisor", server);

            await using var box = await Daemon.CreateAsync("--name", "follows");
            Assert.Equal("2\n", (await box.ShAsync("ls /usr/local/share/ca-certificates/vivarium-host-*.crt | wc -l")).Stdout);

            // An authority taken out of the configuration is trusted no more after the next start; what the sandbox itself trusts stays.
            await ConfigureAsync("");
            var before = int.Parse((await box.ShAsync("grep -c BEGIN /etc/ssl/certs/ca-certificates.crt")).Stdout, null);
            await Viv.RunAsync("restart", box.Id);
            Assert.Equal("0\n", (await box.ShAsync("ls /usr/local/share/ca-certificates/vivarium-host-*.crt 2>/dev/null | wc -l")).Stdout);
            Assert.Equal(before - 2, int.Parse((await box.ShAsync("grep -c BEGIN /etc/ssl/certs/ca-certificates.crt")).Stdout, null));
            Assert.Equal("\n", (await box.ShAsync("echo $NODE_EXTRA_CA_CERTS")).Stdout);
        }
        finally
        {
            await ConfigureAsync("");
        }
    }

    [Fact]
    public async Task A_file_that_holds_no_certificate_is_refused_by_name()
    {
        var wrong = Path.Combine(Daemon.Home, "wrong.pem");
        await File.WriteAllTextAsync(wrong, "nothing", TestContext.Current.CancellationToken);
        await ConfigureAsync(wrong);
        try
        {
            (await Viv.TryAsync("create")).MustRefuse("wrong.pem", "ca_certificates");
            Assert.Empty(await Daemon.ListAsync());
        }
        finally
        {
            await ConfigureAsync("");
        }
    }

    private async Task TrustAsync(string runtime, string server)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        await Viv.RunAsync("cp", server, $"{box.Id}:/tmp/server.pem");
        await box.ShAsync(Serve);
        Assert.Equal(Trusted, (await box.ShAsync(Fetch)).Stdout);
    }

    private async Task ConfigureAsync(string files)
    {
        var text = files.Length == 0 ? Daemon.ConfigText() : Daemon.ConfigText().Replace("[templates]", $"[templates]\nca_certificates = \"{files}\"", StringComparison.Ordinal);
        await File.WriteAllTextAsync(Daemon.ConfigFile, text, TestContext.Current.CancellationToken);
        await Viv.RunAsync("daemon", "restart");
    }
}
