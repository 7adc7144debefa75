using System.Net.Sockets;
using System.Text;
using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Tests.Daemon;

/// <summary>
/// A daemon that was upgraded, or taken back, meets supervisors of other protocols. The supervisor is real; what it says of itself passes through the test, in the form
/// another version would use.
/// </summary>
[Collection(DaemonTests.Name)]
public sealed class ProtocolTests
{
    [Fact]
    public async Task Older_supervisors_work_on_and_newer_ones_are_left_running()
    {
        await using var daemon = await TestDaemon.StartAsync();
        var older = await daemon.CreateAsync("older");
        var kind = await daemon.CreateAsync("newer-but-kind");
        var newer = await daemon.CreateAsync("newer");
        await daemon.KillAsync();
        await using var first = Version.Behind(daemon, older, $"\"protocol\":{SupervisorMethod.OldestProtocol},");
        await using var second = Version.Behind(daemon, kind, $"\"protocol\":{SupervisorMethod.Protocol + 1},\"oldest_protocol\":{SupervisorMethod.Protocol},\"colour\":\"unknown\",");
        await using var third = Version.Behind(daemon, newer, $"\"protocol\":{SupervisorMethod.Protocol + 2},\"oldest_protocol\":{SupervisorMethod.Protocol + 1},");
        await daemon.StartAgainAsync();

        foreach (var (sandbox, protocol) in new[] { (older, SupervisorMethod.OldestProtocol), (kind, SupervisorMethod.Protocol + 1) })
        {
            Assert.Equal(0, (await daemon.RunAsync(sandbox.Id, "true")).Exit.Code);
            var info = await daemon.GetAsync(sandbox.Id);
            Assert.Equal((sandbox.BootId, protocol), (info.BootId, info.SupervisorProtocol));
        }

        // The one it does not understand is listed as running, with the reason, and refuses what would need understanding.
        await Eventually.True(async () => (await daemon.GetAsync(newer.Id)).Reason is not null, TimeSpan.FromSeconds(60));
        var left = await daemon.GetAsync(newer.Id);
        Assert.Equal((SandboxState.Running, "supervisor_protocol", newer.SupervisorPid), (left.State, left.Reason, left.SupervisorPid));
        foreach (var attempt in new Func<Task>[] { () => daemon.RunAsync(newer.Id, "true"), () => StopAsync(daemon, newer.Id, force: false) })
        {
            var refused = await Assert.ThrowsAsync<VivariumException>(attempt);
            Assert.Equal((ErrorCode.FailedPrecondition, "supervisor_protocol"), (refused.Code, refused.Reason));
        }

        await using var client = await daemon.ConnectAsync();
        var health = await client.HealthAsync(TestContext.Current.CancellationToken);
        Assert.Contains(health.Conditions, c => c.Name == "supervisor_protocol" && c.Message.Contains("newer", StringComparison.Ordinal));
        Assert.True(File.Exists($"/proc/{newer.SupervisorPid}/stat"), "its supervisor lives");
        var checks = (await client.DoctorAsync(TestContext.Current.CancellationToken)).Checks.ToLookup(c => c.Name);
        Assert.Contains("3 of another version (9.", checks["supervisors"].Single().Message, StringComparison.Ordinal);
        Assert.Equal(["warn", "pass", "pass"], new[] { "supervisors", "socket", "templates" }.Select(name => checks[name].Single().Status));
        Assert.All(["memory", "open_files", "loop"], name => Assert.Single(checks[name]));

        // By force it can be ended; then there is nothing to complain about.
        await StopAsync(daemon, newer.Id, force: true);
        Assert.Equal(SandboxState.Stopped, (await daemon.GetAsync(newer.Id)).State);
        Assert.DoesNotContain((await client.HealthAsync(TestContext.Current.CancellationToken)).Conditions, c => c.Name == "supervisor_protocol");
        await client.StartAsync(newer.Id, TestContext.Current.CancellationToken);
        Assert.Equal(0, (await daemon.RunAsync(newer.Id, "true")).Exit.Code);
    }

    private static async Task StopAsync(TestDaemon daemon, string id, bool force)
    {
        await using var client = await daemon.ConnectAsync();
        await client.StopAsync(new StopSandboxParams { Ref = id, Force = force }, TestContext.Current.CancellationToken);
    }

    /// <summary>Stands before a supervisor's socket and changes what its <c>info</c> says of its protocol; everything else passes as it is.</summary>
    private sealed class Version : IAsyncDisposable
    {
        private readonly Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        private readonly string real;
        private readonly string says;
        private readonly Task accepting;

        private Version(string socket, string says)
        {
            (this.says, real) = (says, socket + ".r");
            File.Move(socket, real);
            listener.Bind(new UnixDomainSocketEndPoint(socket));
            listener.Listen();
            accepting = AcceptAsync();
        }

        public static Version Behind(TestDaemon daemon, SandboxInfo sandbox, string says) =>
            new(Path.Combine(daemon.Runtime, sandbox.Id, "supervisor.sock"), says);

        public async ValueTask DisposeAsync()
        {
            listener.Dispose();
            await accepting;
        }

        private async Task AcceptAsync()
        {
            try
            {
                for (; ; )
                {
                    var client = await listener.AcceptAsync();
                    var supervisor = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    await supervisor.ConnectAsync(new UnixDomainSocketEndPoint(real));
                    _ = PassAsync(client, supervisor, rewrite: false);
                    _ = PassAsync(supervisor, client, rewrite: true);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The test is over.
            }
        }

        private async Task PassAsync(Socket from, Socket to, bool rewrite)
        {
            var buffer = new byte[64 * 1024];
            try
            {
                int count;
                while ((count = await from.ReceiveAsync(buffer)) > 0)
                {
                    var bytes = buffer.AsMemory(0, count);

                    // The answer to info is short and comes in one piece.
                    if (rewrite && bytes.Span.IndexOf("\"protocol\":"u8) >= 0)
                    {
                        bytes = Encoding.UTF8.GetBytes(Changed(Encoding.UTF8.GetString(bytes.Span)));
                    }

                    for (var sent = 0; sent < bytes.Length;)
                    {
                        sent += await to.SendAsync(bytes[sent..]);
                    }
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // One side has gone; so does the other.
            }

            from.Dispose();
            to.Dispose();
        }

        private string Changed(string line)
        {
            // Protocol 1 does not know "oldest_protocol"; the others say it themselves.
            return line.Replace($"\"oldest_protocol\":{SupervisorMethod.OldestProtocol},", "", StringComparison.Ordinal).Replace($"\"protocol\":{SupervisorMethod.Protocol},", says, StringComparison.Ordinal)
                .Replace("\"version\":\"", "\"version\":\"9.", StringComparison.Ordinal);
        }
    }
}
