using System.Net.Sockets;
using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Shares;

/// <summary><c>-v</c>: what is shared can be used, what is read-only cannot be written whatever root inside tries, and nothing else of the host is reached.</summary>
[Collection(TinyCollection.Name)]
public sealed class ShareTests(PrivateDaemon daemon) : VivTest(daemon)
{
    // Everything root inside can think of against a read-only share; a line for each that works.
    private const string Attacks = """
        t() { if "$@" >/dev/null 2>&1; then echo "worked: $*"; fi; }
        ln -s /mnt/ro/file /tmp/link; mkdir -p /tmp/place
        t sh -c 'echo x >/mnt/ro/file'; t sh -c 'echo x >>/mnt/ro/file'; t touch /mnt/ro/new; t rm -f /mnt/ro/file; t mv /mnt/ro/file /mnt/ro/other; t chmod 777 /mnt/ro/file
        t chown 1:1 /mnt/ro/file; t ln /mnt/ro/file /mnt/ro/hard; t ln /mnt/ro/file /tmp/hard; t ln -s x /mnt/ro/soft; t mkdir /mnt/ro/dir; t mknod /mnt/ro/dev c 1 3
        t sh -c 'echo x >/tmp/link'; t sh -c 'echo x >/mnt/ro/inside'; t sh -c 'echo x >/mnt/ro/below/file'; t truncate -s 0 /mnt/ro/file; t sh -c 'echo x >/mnt/one-ro'; t rm -f /mnt/one-ro
        for o in remount,rw remount,rw,bind remount,bind; do t mount -o $o /mnt/ro; t mount -o $o /mnt/ro/below; t mount -o $o /mnt/one-ro; done
        t sh -c 'mount --bind /mnt/ro /tmp/place && mount -o remount,rw,bind /tmp/place && echo x >/tmp/place/file'
        t unshare -m sh -c 'mount -o remount,rw,bind /mnt/ro && echo x >/mnt/ro/file'; t unshare -Urm sh -c 'mount -o remount,rw,bind /mnt/ro && echo x >/mnt/ro/file'
        t umount /mnt/ro; t umount -l /mnt/ro; t sh -c 'echo x >/proc/1/root/mnt/ro/file'
        cat /mnt/ro/file /mnt/ro/below/file /mnt/one-ro
        cat /mnt/rw/escape 2>/dev/null; cat /mnt/ro/escape 2>/dev/null; cat /mnt/ro/../../secret 2>/dev/null
        echo inside >/mnt/rw/made; chmod 600 /mnt/rw/made; echo changed >/mnt/one-rw; cat /mnt/rw/file
        echo done
        """;

    [Theory]
    [MemberData(nameof(Runtimes))]
    public async Task Read_only_holds_against_root_inside_and_nothing_else_is_reached(string runtime)
    {
        var home = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), $"viv-shares-{runtime}-{Environment.ProcessId}")).FullName;
        try
        {
            await Tools.ShAsync($"""
                cd {home}; echo secret >secret; mkdir -p ro/below rw; echo host >ro/file; echo host >rw/file; echo host >one-ro; echo host >one-rw
                ln -s {home}/secret ro/escape; ln -s {home}/secret rw/escape; ln -s file ro/inside; ln -s {home}/ro alias
                mkdir mounted; echo host >mounted/file; mount --bind mounted ro/below
                """);
            var before = await StateAsync(home);
            await using (var box = await Daemon.CreateAsync(
                "--runtime", runtime, "-v", $"{home}/alias:/mnt/ro:ro", "-v", $"{home}/rw:/mnt/rw", "-v", $"{home}/one-ro:/mnt/one-ro:ro", "-v", $"{home}/one-rw:/mnt/one-rw:rw"))
            {
                Assert.Equal("host\nhost\nhost\nhost\ndone\n", (await box.ShAsync(Attacks)).Stdout);
                Assert.Equal(before, await StateAsync(home));
                Assert.Equal("inside\n0:600\nchanged\n", (await Tools.ShAsync($"cd {home}; cat rw/made; stat -c %u:%a rw/made; cat one-rw")).StdoutText);

                // What the record says is where the link led.
                var shown = (await Viv.RunAsync("show", box.Id)).Stdout;
                Assert.Contains($"{home}/ro at /mnt/ro, read-only", shown, StringComparison.Ordinal);

                await DisappearAsync(box, home);
            }
        }
        finally
        {
            await Tools.TryAsync("umount", $"{home}/ro/below");
            Directory.Delete(home, recursive: true);
        }
    }

    [Fact]
    public async Task What_must_not_be_shared_and_where_nothing_may_appear_is_refused()
    {
        var home = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), $"viv-refused-{Environment.ProcessId}")).FullName;
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Bind(new UnixDomainSocketEndPoint($"{home}/socket"));
            File.CreateSymbolicLink($"{home}/root", "/");
            File.CreateSymbolicLink($"{home}/state", Daemon.State);
            string[] hosts =
            [
                "/", $"{home}/root", Daemon.State, $"{home}/state", Daemon.Runtime, Path.Combine(Daemon.State, "pool"), Daemon.Home, "/proc", "/proc/sys", "/sys", "/dev", "/dev/null",
                $"{home}/socket", $"{home}/missing",
            ];
            foreach (var host in hosts)
            {
                var refused = await Viv.TryAsync("create", "-v", $"{host}:/mnt/x:ro");
                Assert.True(refused.Code == 125 && refused.Stdout.Length == 0 && refused.Stderr.Contains("error:", StringComparison.OrdinalIgnoreCase), $"{host} {refused}");
            }

            foreach (var guest in (string[])["/", "//", "/.", "/etc", "/etc/x", "/usr/local/x", "/run", "/run/vivarium", "/proc/x", "/sys", "/dev/x", "/bin", "/lib64/x", "/boot", "/nix", "/x/../etc", "relative"])
            {
                var refused = await Viv.TryAsync("create", "-v", $"{home}:{guest}");
                Assert.True(refused.Code == 125, $"{guest} {refused}");
            }

            (await Viv.TryAsync("create", "-v", $"{home}:/mnt/x", "-v", $"{home}:/mnt/./x")).MustRefuse("/mnt/x", "two shares");
            Assert.Empty(await Daemon.ListAsync());
        }
        finally
        {
            Directory.Delete(home, recursive: true);
        }
    }

    private static async Task DisappearAsync(TestSandbox box, string home)
    {
        // While it runs the sandbox keeps what it was given; started again, it is told what is missing.
        Directory.Move($"{home}/rw", $"{home}/elsewhere");
        Assert.Equal("host\n", (await box.ShAsync("cat /mnt/rw/file")).Stdout);
        await box.Viv.RunAsync("stop", box.Id);
        (await box.Viv.TryAsync("start", box.Id)).MustRefuse($"{home}/rw", "not there any more");

        // A link put in its place is not followed: it could lead anywhere.
        File.CreateSymbolicLink($"{home}/rw", "/root");
        (await box.Viv.TryAsync("start", box.Id)).MustRefuse($"{home}/rw", "symbolic link");
        File.Delete($"{home}/rw");
        Directory.Move($"{home}/elsewhere", $"{home}/rw");
        await box.Viv.RunAsync("start", box.Id);
        Assert.Equal("host\n", (await box.ShAsync("cat /mnt/rw/file")).Stdout);
    }

    /// <summary>Everything that can be seen of the read-only parts, but for times of access.</summary>
    private static async Task<string> StateAsync(string home) =>
        (await Tools.ShAsync($"cd {home}; find ro one-ro -printf '%p %y %m %U:%G %n %s %T@ %l\\n' | sort; cat ro/file ro/below/file one-ro")).StdoutText;
}
