namespace Vivarium.Cli.Tests;

/// <summary>Answers of a daemon.</summary>
internal static class Samples
{
    public const string Fox = """
        {"id":"k3j5x8q2m4n7p9r1t6v0","name":"quiet-fox","state":"running","runtime":"container","engine":"runc","isolated":true,"template":"base",
        "template_digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","resources":{"cpus":1.5,"memory_bytes":1073741824,"pids":1024},
        "network":"none","created_unix_ms":1767319445000,"started_unix_ms":1767319446000,"expires_unix_ms":1767326645000,"on_timeout":"kill","user":"user","labels":{"team":"a"},
        "supervisor_pid":4711,"shares":[{"host_path":"/srv/data","guest_path":"/data","read_only":true}],
        "capabilities":{"pause":true,"checkpoint":false,"limits":true,"user_namespace":false,"network_namespace":true,"isolated":true}}
        """;

    public const string Owl = """
        {"id":"a0b1c2d3e4f5g6h7i8j9","name":"old-owl","state":"failed","reason":"oom","message":"the sandbox ran out of memory","runtime":"direct","engine":"direct","isolated":false,
        "template":"tiny","template_digest":"sha256:ff","resources":{"cpus":2,"memory_bytes":134217728,"pids":64,"disk_bytes":1073741824},"network":"none","created_unix_ms":1767150245000}
        """;

    public static string OneLine(string json) => json.ReplaceLineEndings("");

    public static string List { get; } = OneLine($$"""{"sandboxes":[{{Owl}},{{Fox}}]}""");

    public const string Processes = """
        {"processes":[{"pid":17,"tag":"web","argv":["python3","-m","http.server"],"user":"user","cwd":"/","tty":false,"status":"running","started_unix_ms":1767323000000,"tree_size":2,"attached":1},{"pid":9,"argv":["sh","-c","echo 'a b'; exit 3"],"user":"root","cwd":"/","tty":true,"status":"exited","started_unix_ms":1767322000000,"exit":{"type":"exit","code":3},"tree_size":0,"attached":0}]}
        """;

    public const string Templates = """
        {"templates":[{"name":"base","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","description":"Debian with the usual tools","size_bytes":314572800,"entries":20123,"created_unix_ms":1767236645000,"references":2,"user":"root","status":"ready"},{"name":"tiny","digest":"","description":"busybox","size_bytes":0,"entries":0,"created_unix_ms":0,"references":0,"status":"available"}]}
        """;

    public static string Snapshots { get; } = $$"""{"snapshots":[{{Snapshot("a", null, "turn-0001", "\"turn\":1,\"bytes_unique\":4096,\"changes\":{\"added\":3,\"changed\":0,\"removed\":0}")}},{{Snapshot("b", "a", "turn-0002", "\"turn\":2,\"unchanged\":true,\"label\":\"think\"")}},{{Snapshot("c", "b", "before", "\"held\":true")}},{{Snapshot("d", "a", "turn-0003", "\"turn\":3,\"current\":true,\"changes\":{\"added\":0,\"changed\":1,\"removed\":2}")}}]}""";

    /// <summary>A snapshot in one line, as the daemon sends it.</summary>
    public static string Snapshot(string letter, string? parent, string name, string more) =>
        $$"""{"id":"{{new string(letter[0], 20)}}","sandbox_id":"k3j5x8q2m4n7p9r1t6v0","sandbox_name":"quiet-fox",{{(parent is null ? "" : $"\"parent\":\"{new string(parent[0], 20)}\",")}}"kind":"{{(name.StartsWith("turn", StringComparison.Ordinal) ? "turn" : "named")}}","name":"{{name}}","created_unix_ms":1767236645000,"generation":7,{{more}}}""";
}
