using System.Text.Json;
using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.AgentTools;

/// <summary>Each git tool, on both kinds of isolation, with the sandbox's own git.</summary>
[Collection(BaseCollection.Name)]
public sealed class GitToolTests(PrivateBaseDaemon daemon) : VivTest(daemon)
{
    [Theory, MemberData(nameof(Runtimes))]
    public async Task Git_tools_do_what_git_does(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        await box.ShAsync("git init -q --bare far.git && git config --global init.defaultBranch main && git config --global protocol.file.allow always");
        await OkAsync(box, "git_clone", """{"url": "/root/far.git", "path": "w"}""");
        await OkAsync(box, "write_file", """{"path": "w/-f", "content": "one\n"}""");
        await OkAsync(box, "write_file", """{"path": "w/g", "content": "one\n"}""");
        Assert.Contains("?? g", await OkAsync(box, "git_status", """{"cwd": "w"}"""), StringComparison.Ordinal);

        // Only what is named is added, also when it looks like an option.
        await OkAsync(box, "git_add", """{"cwd": "w", "paths": ["-f"]}""");
        Assert.Equal("A  -f\n?? g\n", Lines(await OkAsync(box, "git_status", """{"cwd": "w"}""")));
        Assert.Contains("+one", await OkAsync(box, "git_diff", """{"cwd": "w", "staged": true}"""), StringComparison.Ordinal);
        await OkAsync(box, "git_commit", """{"cwd": "w", "message": "-begin\n\nit's \"quoted\" $HOME"}""");
        await OkAsync(box, "git_add", """{"cwd": "w", "paths": ["g"]}""");
        await OkAsync(box, "git_commit", """{"cwd": "w", "message": "second"}""");
        await OkAsync(box, "edit_file", """{"path": "w/g", "old": "one", "new": "two"}""");
        Assert.Contains("-one\n+two", await OkAsync(box, "git_diff", """{"cwd": "w", "paths": ["g"]}"""), StringComparison.Ordinal);
        Assert.Equal("", await OkAsync(box, "git_diff", """{"cwd": "w", "paths": ["-f"]}"""));
        var log = await OkAsync(box, "git_log", """{"cwd": "w"}""");
        Assert.Contains("it's \"quoted\" $HOME", log, StringComparison.Ordinal);
        Assert.DoesNotContain("second", await OkAsync(box, "git_log", """{"cwd": "w", "n": 1, "ref": "HEAD~1"}"""), StringComparison.Ordinal);
        Assert.Contains("second", await OkAsync(box, "git_show", """{"cwd": "w"}"""), StringComparison.Ordinal);
        Assert.Equal("one\n", await OkAsync(box, "git_show", """{"cwd": "w", "ref": "HEAD:g"}"""));

        await OkAsync(box, "git_push", """{"cwd": "w", "remote": "origin", "ref": "HEAD", "set_upstream": true}""");
        await OkAsync(box, "git_clone", """{"url": "file:///root/far.git", "path": "v", "depth": 1}""");
        Assert.Equal("1\n", (await box.ShAsync("git -C v rev-list --count HEAD")).Stdout);
        await OkAsync(box, "git_commit", """{"cwd": "w", "message": "third", "all": true}""");
        await OkAsync(box, "git_push", """{"cwd": "w"}""");
        await OkAsync(box, "git_fetch", """{"cwd": "v"}""");
        Assert.Contains("behind 1", await OkAsync(box, "git_status", """{"cwd": "v"}"""), StringComparison.Ordinal);
        await OkAsync(box, "git_pull", """{"cwd": "v"}""");
        Assert.Equal("two\n", (await box.ShAsync("cat v/g")).Stdout);

        // What git refuses is the tool's answer; a repository's hook runs in the sandbox and nowhere else.
        var nothing = await CallAsync(box, "git_commit", """{"cwd": "v", "message": "nothing"}""");
        Assert.True(nothing.GetProperty("is_error").GetBoolean());
        Assert.Equal(1, nothing.GetProperty("exit_code").GetInt32());
        Assert.Equal(128, (await CallAsync(box, "git_status", """{"cwd": "/"}""")).GetProperty("exit_code").GetInt32());
        var mark = "viv-hook-" + box.Id;
        await box.ShAsync($"printf '#!/bin/sh\\ntouch /tmp/{mark}\\n' > v/.git/hooks/pre-commit && chmod +x v/.git/hooks/pre-commit && echo x > v/x && git -C v add x");
        await OkAsync(box, "git_commit", """{"cwd": "v", "message": "with a hook"}""");
        await box.ShAsync($"test -e /tmp/{mark}");
        Assert.False(File.Exists("/tmp/" + mark));
        Assert.False(File.Exists(Path.Combine(Path.GetTempPath(), mark)));

        // Nobody answers a question: it ends at once, not with its time.
        await box.ShAsync("git config --global credential.helper '' && git -C v config core.askPass ''");
        var slow = await CallAsync(box, "bash", """{"command": "git --version; GIT_TERMINAL_PROMPT=0 true"}""");
        Assert.False(slow.GetProperty("is_error").GetBoolean());
        var late = await CallAsync(box, "git_log", """{"cwd": "v", "timeout_ms": 1}""");
        Assert.True(late.GetProperty("timed_out").GetBoolean() || !late.GetProperty("is_error").GetBoolean());
    }

    private static string Lines(string status) => string.Concat(status.Split('\n').Where(static l => l.Length > 0 && !l.StartsWith("##", StringComparison.Ordinal)).Select(static l => l + "\n"));

    private static async Task<string> OkAsync(TestSandbox box, string tool, string arguments)
    {
        var reply = await CallAsync(box, tool, arguments);
        Assert.False(reply.GetProperty("is_error").GetBoolean(), $"{tool} {arguments}: {reply.GetProperty("content").GetString()}");
        return reply.GetProperty("content").GetString()!;
    }

    private static async Task<JsonElement> CallAsync(TestSandbox box, string tool, string arguments)
    {
        using var document = JsonDocument.Parse((await box.Viv.TryAsync("tool", "call", "--json", box.Id, tool, arguments)).Stdout);
        return document.RootElement.Clone();
    }
}
