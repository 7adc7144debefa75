using System.Text;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Errors;

namespace Vivarium.Network.Firewall;

/// <summary>Runs <c>nft</c>: one process, one transaction.</summary>
internal static class Nft
{
    private const int MostListing = 64 * 1024 * 1024;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    /// <summary>Whether the program is on this machine.</summary>
    public static string? Find() => SpawnOptions.DefaultPath.Split(':').Select(static d => Path.Combine(d, "nft")).FirstOrDefault(File.Exists);

    /// <summary>Applies a script; nothing of it when the kernel refuses a part.</summary>
    /// <exception cref="VivariumException">failed_precondition <c>nft_missing</c>; unavailable <c>firewall_failed</c>.</exception>
    public static async Task ApplyAsync(string script, CancellationToken cancellationToken)
    {
        if (Find() is not { } nft)
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition, "setting up the network: the program nft is missing, so no rule could be enforced", "apt-get install nftables, or use --net none.", "nft_missing");
        }

        var run = await ChildRun.RunAsync(nft, ["-f", "-"], new ChildRunOptions { Input = Encoding.ASCII.GetBytes(script), Timeout = Deadline }, cancellationToken).ConfigureAwait(false);
        if (!run.Succeeded)
        {
            var said = run.StderrText.Split('\n', 2)[0];
            throw new VivariumException(
                ErrorCode.Unavailable, $"setting up the network: nft {(said.Length > 0 ? "said: " + said : run.Summary)}", "viv doctor shows what this kernel's nftables can do.", "firewall_failed");
        }
    }

    /// <summary>Names of the chains of a table; none when it is not there.</summary>
    public static async Task<IReadOnlyList<string>> ChainsAsync(string table, CancellationToken cancellationToken)
    {
        if (Find() is not { } nft)
        {
            return [];
        }

        var run = await ChildRun.RunAsync(nft, ["-t", "list", "table", "inet", table], new ChildRunOptions { Timeout = Deadline, MaxOutputBytes = MostListing }, cancellationToken).ConfigureAwait(false);
        return !run.Succeeded ? [] : [.. run.StdoutText.Split('\n').Select(static l => l.Trim()).Where(static l => l.StartsWith("chain ", StringComparison.Ordinal)).Select(static l => l.Split(' ')[1])];
    }

    /// <summary>Whether our rules are there: somebody may have flushed the machine's whole ruleset.</summary>
    public static async Task<bool> HasTableAsync(string table, CancellationToken cancellationToken)
    {
        if (Find() is not { } nft)
        {
            return false;
        }

        foreach (var chain in (string[][])[["inet", "forward"], ["bridge", "prerouting"]])
        {
            var run = await ChildRun.RunAsync(nft, ["-t", "list", "chain", chain[0], table, chain[1]], new ChildRunOptions { Timeout = Deadline }, cancellationToken).ConfigureAwait(false);
            if (!run.Succeeded)
            {
                return false;
            }
        }

        return true;
    }
}
