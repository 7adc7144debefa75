using System.Net;

namespace Vivarium.Network.Dns;

/// <summary>The name servers to ask: configured ones, or those of a resolv.conf, read anew when it changes. Source: resolv.conf(5).</summary>
internal sealed class NameServers(IReadOnlyList<IPEndPoint> configured, string resolvConf = "/etc/resolv.conf")
{
    private const int MostServers = 3;
    private const int MostBytes = 64 * 1024;
    private readonly Lock gate = new();
    private IReadOnlyList<IPEndPoint> read = [];
    private (DateTime Written, long Length) stamp;

    /// <summary>At most three, in order; empty when there is none.</summary>
    public IReadOnlyList<IPEndPoint> Now()
    {
        if (configured.Count > 0)
        {
            return configured;
        }

        lock (gate)
        {
            var file = new FileInfo(resolvConf);
            if (file.Exists && (file.LastWriteTimeUtc, file.Length) != stamp && file.Length <= MostBytes)
            {
                try
                {
                    read = Parse(File.ReadAllText(resolvConf));
                    stamp = (file.LastWriteTimeUtc, file.Length);
                }
                catch (IOException)
                {
                    // Being replaced: the ones known go on.
                }
            }

            return read;
        }
    }

    internal static IReadOnlyList<IPEndPoint> Parse(string text)
    {
        var found = new List<IPEndPoint>();
        foreach (var line in text.Split('\n'))
        {
            var words = line.Split((char[])[' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 2 && words[0] == "nameserver" && IPAddress.TryParse(words[1], out var address) && found.Count < MostServers)
            {
                found.Add(new IPEndPoint(address, 53));
            }
        }

        return found;
    }

    /// <summary>Reads <c>ADDRESS</c>, <c>ADDRESS:PORT</c> or <c>[V6]:PORT</c>, separated by commas; null when one is malformed.</summary>
    public static IReadOnlyList<IPEndPoint>? ParseList(string text)
    {
        var found = new List<IPEndPoint>();
        foreach (var word in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!IPEndPoint.TryParse(word, out var server) || found.Count == MostServers)
            {
                return null;
            }

            found.Add(server.Port == 0 ? new IPEndPoint(server.Address, 53) : server);
        }

        return found;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Join(", ", Now().Select(static s => s.Port == 53 ? s.Address.ToString() : s.ToString()).DefaultIfEmpty("none"));
}
