using System.Globalization;
using System.Text.Json;
using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Snapshots;

/// <summary>
/// An agent that edits, builds and breaks a repository turn after turn, rolled back and forked at random; after every step the sandbox's files are compared, byte for byte, with
/// a model kept outside. <c>VIVARIUM_TURNS=200</c> runs the full length; the suite runs a few.
/// </summary>
[Collection(BaseCollection.Name)]
public sealed class AgentLoopTests(PrivateBaseDaemon daemon) : VivTest(daemon)
{
    private const string Top = "/root/repo";
    private static readonly int Turns = int.Parse(Environment.GetEnvironmentVariable("VIVARIUM_TURNS") ?? "8", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Every_turn_can_be_gone_back_to_and_forked_from()
    {
        // Side by side: sandboxes do not disturb each other.
        await Task.WhenAll(RunAsync("container", 1), RunAsync("gvisor", 2));
    }

    private async Task RunAsync(string runtime, int seed)
    {
        var random = new Random(seed);
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        await using var api = await ApiClient.ConnectAsync(Daemon);
        await box.ShAsync($"""
            mkdir -p {Top}/src && cd {Top}
            git init -q . && git config user.email a@b.c && git config user.name A && git config gc.auto 0
            printf 'def double(x):\n    return 2 * x\n' > src/lib.py
            printf 'import sys; sys.path.insert(0, "src")\nimport lib\nassert lib.double(4) == 8\nprint("ok")\n' > check.py
            git add -A && git commit -qm begin
            """);
        var model = new RepositoryModel();
        var kept = new SortedDictionary<int, Dictionary<string, string>>();
        for (var turn = 1; turn <= Turns; turn++)
        {
            await box.ShAsync($"cd {Top} && " + model.Step(random, turn));
            var taken = await api.CallAsync("turn.complete", $"{{\"ref\":\"{box.Id}\",\"label\":\"step {turn}\"}}");
            Assert.Equal(turn, taken.GetProperty("turn").GetInt32());
            kept[turn] = model.Files();
            Assert.Equal(kept[turn], await FilesAsync(api, box.Id));

            var back = kept.Keys.ElementAt(random.Next(kept.Count));
            switch (random.Next(4))
            {
                case 0:
                    await api.CallAsync("sandbox.rollback", $"{{\"ref\":\"{box.Id}\",\"snapshot\":\"{back}\"}}");
                    model.Restore(kept[back]);
                    Assert.Equal(kept[back], await FilesAsync(api, box.Id));
                    Assert.Equal(model.Builds, await api.ExecAsync(box.Id, "sh", "-c", $"cd {Top} && PYTHONDONTWRITEBYTECODE=1 python3 check.py && git fsck --full") == 0);
                    break;
                case 1:
                    var fork = (await api.CallAsync("sandbox.fork", $"{{\"ref\":\"{box.Id}\",\"snapshot\":\"{back}\"}}")).GetProperty("sandboxes")[0].GetProperty("id").GetString()!;
                    Assert.Equal(kept[back], await FilesAsync(api, fork));
                    await api.CallAsync("sandbox.destroy", $"{{\"ref\":\"{fork}\",\"force\":true,\"now\":true}}");
                    break;
                default:
                    break;
            }
        }

        // All of them again, in no order: back to each in place, and out of each as a fork.
        foreach (var turn in kept.Keys.ToArray().OrderBy(_ => random.Next()).Take(Math.Max(4, Turns)))
        {
            if (turn % 2 == 0)
            {
                await api.CallAsync("sandbox.rollback", $"{{\"ref\":\"{box.Id}\",\"snapshot\":\"turn-{turn:0000}\"}}");
                Assert.Equal(kept[turn], await FilesAsync(api, box.Id));
                continue;
            }

            var fork = (await api.CallAsync("sandbox.fork", $"{{\"ref\":\"{box.Id}@{turn}\"}}")).GetProperty("sandboxes")[0].GetProperty("id").GetString()!;
            Assert.Equal(kept[turn], await FilesAsync(api, fork));
            await api.CallAsync("sandbox.destroy", $"{{\"ref\":\"{fork}\",\"force\":true,\"now\":true}}");
        }

        // What the daemon says has changed between two turns is what the models say.
        var numbers = kept.Keys.ToArray();
        for (var i = 0; i < Math.Max(3, Turns / 4); i++)
        {
            var (from, to) = (numbers[random.Next(numbers.Length)], numbers[random.Next(numbers.Length)]);
            var diff = await api.CallAsync("sandbox.diff", $"{{\"ref\":\"{box.Id}\",\"from\":\"{from}\",\"to\":\"{to}\"}}");
            Assert.Equal(Differences(kept[from], kept[to]), Told(diff));
        }
    }

    /// <summary>Content of every file of the work tree, read in the sandbox.</summary>
    private static async Task<Dictionary<string, string>> FilesAsync(ApiClient api, string sandbox)
    {
        const string Script = "cd " + Top + " && find . -path ./.git -prune -o -type f -print | while read -r f; do echo \"F $f\"; base64 -w0 \"$f\"; echo; done";
        var reply = await api.CallAsync("process.exec", $"{{\"ref\":\"{sandbox}\",\"request\":{{\"argv\":[\"sh\",\"-c\",\"{JsonEncodedText.Encode(Script)}\"]}},\"max_output_bytes\":8000000}}");
        Assert.Equal(0, reply.GetProperty("exit").GetProperty("code").GetInt32());
        var lines = System.Text.Encoding.UTF8.GetString(reply.GetProperty("stdout").GetBytesFromBase64()).Split('\n');
        var files = new Dictionary<string, string>();
        for (var i = 0; i + 1 < lines.Length && lines[i].StartsWith("F ./", StringComparison.Ordinal); i += 2)
        {
            files[lines[i][4..]] = lines[i + 1];
        }

        return files;
    }

    private static SortedSet<string> Differences(Dictionary<string, string> from, Dictionary<string, string> to) => new(
        from.Keys.Where(p => !to.ContainsKey(p)).Select(static p => "removed " + p)
            .Concat(to.Keys.Where(p => !from.ContainsKey(p)).Select(static p => "added " + p))
            .Concat(to.Keys.Where(p => from.TryGetValue(p, out var old) && old != to[p]).Select(static p => "changed " + p)),
        StringComparer.Ordinal);

    private static SortedSet<string> Told(JsonElement diff)
    {
        // The model knows contents, not times: a file written again with the same bytes is no change to it, so such ones carry a different content always.
        var told = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var entry in diff.GetProperty("entries").EnumerateArray())
        {
            var path = entry.GetProperty("path").GetString()!;
            if (entry.GetProperty("type").GetString() == "file" && path.StartsWith(Top + "/", StringComparison.Ordinal) && !path.StartsWith(Top + "/.git/", StringComparison.Ordinal))
            {
                told.Add($"{entry.GetProperty("change").GetString()} {path[(Top.Length + 1)..]}");
            }
        }

        return told;
    }
}
