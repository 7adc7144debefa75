using System.Net;
using System.Net.Sockets;
using System.Text;
using Vivarium.Linux.Namespaces;
using Vivarium.Linux.Processes;
using Vivarium.Network.Firewall;
using Vivarium.Network.Policy;
using Vivarium.Wire.Host;

namespace Vivarium.Network.Tests;

/// <summary>Rules that are written anew under a flood: in no instant is there neither the old nor the new. Sandbox, host and world are network namespaces of the test.</summary>
public sealed class RewriteTests : IDisposable
{
    private static readonly NetworkOptions Options = new() { Bridge = "vtest", Table = "vtest", Pool6 = null };
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(double.Parse(Environment.GetEnvironmentVariable("VIVARIUM_REWRITE_SECONDS") ?? "2", null));
    private readonly string directory = Directory.CreateTempSubdirectory("vr.").FullName;

    private string Sandbox => Path.Combine(directory, "sandbox");

    private string Host => Path.Combine(directory, "host");

    private string World => Path.Combine(directory, "world");

    [Fact]
    public async Task No_packet_slips_through_while_rules_are_written_anew()
    {
        await MakeAsync();
        var firewall = new FirewallText(Options);
        var address = new Addressing.SandboxAddress(IPAddress.Parse("10.213.0.2"), null);
        SandboxNetwork With(int connections) => new(
            "aaaaaaaaaaaaaaaaaaaa", "web", address, NetworkPolicy.Parse(new NetworkPolicySpec { Deny = ["all:25", "198.51.100.0/24"], Connections = connections }, Options));
        static Addressing.SandboxAddress? Peers(string name) => null;
        var scripts = new[]
        {
            firewall.Change(With(10), With(20), Peers), firewall.Whole([With(10)], Peers, []), firewall.Change(With(10), With(10), Peers),
        };
        await ApplyAsync(firewall.Whole([With(10)], Peers, []));

        IPEndPoint[] closed = [new(IPAddress.Parse("10.99.0.9"), 9), new(IPAddress.Parse("203.0.113.9"), 25), new(IPAddress.Parse("198.51.100.9"), 9)];
        IPEndPoint open = new(IPAddress.Parse("203.0.113.9"), 9);
        using var sinks = new Sinks(World, [.. closed, open]);
        using var over = new CancellationTokenSource();
        var floods = Task.Run(() => Flood(Sandbox, [.. closed, .. closed, .. closed, open], over.Token), TestContext.Current.CancellationToken);
        var written = 0;
        for (var began = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(began) < Time; written++)
        {
            await ApplyAsync(scripts[written % scripts.Length]);
        }

        await over.CancelAsync();
        TestContext.Current.TestOutputHelper!.WriteLine($"{await floods} packets, rules written anew {written} times");
        Assert.True(sinks.Arrived(open) > 0, "what is open arrives");
        Assert.All(closed, c => Assert.Equal((c, 0), (c, sinks.Arrived(c))));
    }

    public void Dispose()
    {
        foreach (var name in new[] { Sandbox, Host, World }.Where(File.Exists))
        {
            NetworkNamespace.Remove(name);
        }

        Directory.Delete(directory);
    }

    private static long Flood(string from, IPEndPoint[] targets, CancellationToken over) => NamespaceThread.In(from, NamespaceKinds.Network, () =>
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        var sent = 0L;
        for (; !over.IsCancellationRequested; sent++)
        {
            socket.SendTo("x"u8, SocketFlags.None, targets[sent % targets.Length]);
        }

        return sent;
    });

    private async Task MakeAsync()
    {
        foreach (var name in (string[])[Sandbox, Host, World])
        {
            NetworkNamespace.Create(name);
        }

        var script = $"""
            s={Sandbox} h={Host} w={World}
            nsenter --net=$h sh -ec '
              ip link add vtest type veth peer name eth0; ip link set eth0 netns '$s'
              ip link add out type veth peer name in; ip link set in netns '$w'
              ip address add 10.213.0.1/16 dev vtest; ip address add 192.0.2.1/24 dev out; ip link set vtest up; ip link set out up'
            nsenter --net=$s sh -ec 'ip address add 10.213.0.2/16 dev eth0; ip link set eth0 up; ip route add default via 10.213.0.1'
            nsenter --net=$w sh -ec 'ip address add 192.0.2.2/24 dev in; ip link set in up; for a in 10.99.0.9 203.0.113.9 198.51.100.9; do ip address add $a/32 dev lo; done'
            nsenter --net=$h sh -ec 'ip route replace default via 192.0.2.2; echo 1 >/proc/sys/net/ipv4/ip_forward'
            """;
        var made = await ChildRun.RunAsync("sh", ["-ec", script], null, TestContext.Current.CancellationToken);
        Assert.True(made.Succeeded, made.StderrText);
    }

    private async Task ApplyAsync(string script)
    {
        var run = await ChildRun.RunAsync("nsenter", ["--net=" + Host, "nft", "-f", "-"], new ChildRunOptions { Input = Encoding.ASCII.GetBytes(script) }, TestContext.Current.CancellationToken);
        Assert.True(run.Succeeded, run.StderrText);
    }

    /// <summary>Counts what arrives at each address.</summary>
    private sealed class Sinks : IDisposable
    {
        private readonly Dictionary<IPEndPoint, (Socket Socket, Task<int> Count)> sockets = [];

        public Sinks(string path, IPEndPoint[] at)
        {
            foreach (var point in at)
            {
                var socket = NamespaceThread.In(path, NamespaceKinds.Network, () =>
                {
                    var made = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
                    made.Bind(point);
                    return made;
                });
                sockets.Add(point, (socket, CountAsync(socket)));
            }
        }

        public int Arrived(IPEndPoint point)
        {
            sockets[point].Socket.Dispose();
            return sockets[point].Count.GetAwaiter().GetResult();
        }

        public void Dispose()
        {
            foreach (var (socket, _) in sockets.Values)
            {
                socket.Dispose();
            }
        }

        private static async Task<int> CountAsync(Socket socket)
        {
            var count = 0;
            try
            {
                for (var buffer = new byte[16]; ; count++)
                {
                    await socket.ReceiveAsync(buffer);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return count;
            }
        }
    }
}
