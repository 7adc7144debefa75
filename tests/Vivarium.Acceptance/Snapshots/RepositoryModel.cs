using System.Globalization;
using System.Text;

namespace Vivarium.Acceptance.Snapshots;

/// <summary>What the agent's repository should hold: every step changes the model and says, as a shell line, how to do the same in the sandbox.</summary>
internal sealed class RepositoryModel
{
    private const string Good = "def double(x):\n    return 2 * x\n";
    private const string Broken = "def double(x):\n    return 2 * y\n";
    private Dictionary<string, string> files = new()
    {
        ["src/lib.py"] = Encode(Good),
        ["check.py"] = Encode("import sys; sys.path.insert(0, \"src\")\nimport lib\nassert lib.double(4) == 8\nprint(\"ok\")\n"),
    };

    /// <summary>Whether the check passes.</summary>
    public bool Builds => !Decode(files["src/lib.py"]).Contains('y', StringComparison.Ordinal);

    public Dictionary<string, string> Files() => new(files);

    public void Restore(Dictionary<string, string> to) => files = new Dictionary<string, string>(to);

    /// <summary>One step: edits, removals, moves, a broken build and its repair, commits, binary files, whole folders, or nothing at all.</summary>
    public string Step(Random random, int turn)
    {
        var number = turn.ToString(CultureInfo.InvariantCulture);
        switch (random.Next(8))
        {
            case 0:
                return Write($"src/m{number}.py", $"# step {number}\nvalue = {random.Next()}\n") + " && git add -A && git commit -qm 'step " + number + "'";
            case 1:
                return Write("src/lib.py", Broken + $"# broken in {number}\n") + " && ! PYTHONDONTWRITEBYTECODE=1 python3 check.py 2>/dev/null";
            case 2:
                return Write("src/lib.py", Good + $"# mended in {number}\n") + " && PYTHONDONTWRITEBYTECODE=1 python3 check.py >/dev/null";
            case 3:
                var bytes = new byte[random.Next(1, 60_000)];
                random.NextBytes(bytes);
                return Put($"out/build-{number}.bin", bytes);
            case 4 when Removable(random) is { } gone:
                files.Remove(gone);
                return $"rm {gone}";
            case 5 when Removable(random) is { } moved:
                files[$"moved/{number}-{Path.GetFileName(moved)}"] = files[moved];
                files.Remove(moved);
                return $"mkdir -p moved && mv {moved} moved/{number}-{Path.GetFileName(moved)}";
            case 6:
                foreach (var path in files.Keys.Where(static p => p.StartsWith("out/", StringComparison.Ordinal)).ToArray())
                {
                    files.Remove(path);
                }

                return "rm -rf out && git status --short >/dev/null";
            default:
                return "git log --oneline >/dev/null && ls -R >/dev/null";
        }
    }

    private static string Encode(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static string Decode(string content) => Encoding.UTF8.GetString(Convert.FromBase64String(content));

    private string? Removable(Random random)
    {
        string[] some = [.. files.Keys.Where(static p => p is not ("src/lib.py" or "check.py")).Order(StringComparer.Ordinal)];
        return some.Length == 0 ? null : some[random.Next(some.Length)];
    }

    private string Write(string path, string text) => Put(path, Encoding.UTF8.GetBytes(text));

    private string Put(string path, byte[] content)
    {
        files[path] = Convert.ToBase64String(content);
        return $"mkdir -p {Path.GetDirectoryName(path)} && echo {files[path]} | base64 -d > {path}";
    }
}
