using System.Globalization;

namespace Vivarium.Host.Tools.Git;

/// <summary>The git tools: what each may be given, and the words it becomes.</summary>
internal static class GitTools
{
    private const string Ref = """{"type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[^-\\u0000][^\\u0000]*$", "description": "%"}""";
    private const string Paths = """{"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 4096, "pattern": "^[^\\u0000]*$"}, %2"maxItems": 1000, "description": "%"}""";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Tool> All { get; } =
    [
        new GitTool(
            "git_status", "Shows the branch and what has changed in a repository: git status --porcelain=v1 --branch.", changes: false, "", [],
            static _ => ["status", "--porcelain=v1", "--branch"]),
        new GitTool(
            "git_diff", "Shows what has changed in a repository since the index, or with 'staged' between HEAD and the index, or since a commit.", changes: false,
            $$"""
            "ref": {{Ref.Replace("%", "A commit, or two with .. between them.", StringComparison.Ordinal)}},
            "staged": {"type": "boolean", "description": "What would be committed; default false."},
            "paths": {{List("Only these files and directories.")}}
            """,
            [],
            static a => ["diff", .. a.Flag("staged") ? (string[])["--cached"] : [], .. End(a.MaybeText("ref")), "--", .. a.Texts("paths")]),
        new GitTool(
            "git_log", "Lists commits, the newest first.", changes: false,
            $$"""
            "ref": {{Ref.Replace("%", "Where to begin; default HEAD.", StringComparison.Ordinal)}},
            "n": {"type": "integer", "minimum": 1, "maximum": 100, "description": "How many; default 10."},
            "paths": {{List("Only commits that touch these.")}}
            """,
            [],
            static a => ["log", "-n", (a.Number("n") ?? 10).ToString(CultureInfo.InvariantCulture), .. End(a.MaybeText("ref")), "--", .. a.Texts("paths")]),
        new GitTool(
            "git_show", "Shows a commit with its changes, or a file as it was in one (ref:path).", changes: false,
            $$"""
            "ref": {{Ref.Replace("%", "What to show; default HEAD.", StringComparison.Ordinal)}}
            """,
            [],
            static a => ["show", .. End(a.MaybeText("ref") ?? "HEAD"), "--"]),
        new GitTool(
            "git_add", "Puts the named files and directories as they are now into the index.", changes: true,
            $$"""
            "paths": {{List("What to add; \".\" for all below the directory.", "\"minItems\": 1, ")}}
            """,
            ["paths"],
            static a => ["add", "--", .. a.Texts("paths")]),
        new GitTool(
            "git_commit", "Commits what is in the index.", changes: true,
            """
            "message": {"type": "string", "minLength": 1, "maxLength": 100000, "pattern": "^[^\\u0000]*$", "description": "The message."},
            "all": {"type": "boolean", "description": "Add what has changed in known files first; default false."}
            """,
            ["message"],
            static a => ["commit", .. a.Flag("all") ? (string[])["--all"] : [], "--message=" + a.Text("message")]),
        new GitTool(
            "git_push", "Sends commits to another repository.", changes: true,
            $$"""
            "remote": {{Ref.Replace("%", "Where to; default as the branch is configured.", StringComparison.Ordinal)}},
            "ref": {{Ref.Replace("%", "What; default as configured.", StringComparison.Ordinal)}},
            "set_upstream": {"type": "boolean", "description": "Remember where to for the next time; default false."}
            """,
            [],
            static a => ["push", .. a.Flag("set_upstream") ? (string[])["--set-upstream"] : [], "--", .. Remote(a)]),
        new GitTool(
            "git_clone", "Makes a copy of another repository.", changes: true,
            $$"""
            "url": {{Ref.Replace("%", "The repository: a URL or a path.", StringComparison.Ordinal)}},
            "path": {{Ref.Replace("%", "Directory to make; default named after the repository.", StringComparison.Ordinal)}},
            "ref": {{Ref.Replace("%", "Branch or tag to check out; default the remote's own.", StringComparison.Ordinal)}},
            "depth": {"type": "integer", "minimum": 1, "description": "Only so many commits of the history."}
            """,
            ["url"],
            static a =>
            [
                "clone",
                .. a.MaybeText("ref") is { } branch ? (string[])["--branch=" + branch] : [],
                .. a.Number("depth") is { } depth ? (string[])["--depth=" + depth.ToString(CultureInfo.InvariantCulture)] : [],
                "--",
                a.Text("url"),
                .. a.MaybeText("path") is { } path ? (string[])[path] : [],
            ]),
        new GitTool("git_fetch", "Gets commits from another repository without changing what is checked out.", changes: true, RemoteProperties, [], static a => ["fetch", "--", .. Remote(a)]),
        new GitTool("git_pull", "Gets commits from another repository and merges them into the branch.", changes: true, RemoteProperties, [], static a => ["pull", "--no-rebase", "--", .. Remote(a)]),
    ];

    private static string RemoteProperties =>
        $$"""
        "remote": {{Ref.Replace("%", "Where from; default as the branch is configured.", StringComparison.Ordinal)}},
        "ref": {{Ref.Replace("%", "What; default as configured.", StringComparison.Ordinal)}}
        """;

    private static string List(string description, string least = "") => Paths.Replace("%2", least, StringComparison.Ordinal).Replace("%", description.Replace("\"", "\\\"", StringComparison.Ordinal), StringComparison.Ordinal);

    /// <summary>After it comes nothing that is taken for an option.</summary>
    private static string[] End(string? reference) => reference is null ? [] : ["--end-of-options", reference];

    private static IEnumerable<string> Remote(ToolArguments a) => (a.MaybeText("remote"), a.MaybeText("ref")) switch
    {
        (null, null) => [],
        (null, { } reference) => ["origin", reference],
        ({ } remote, null) => [remote],
        ({ } remote, { } reference) => [remote, reference],
    };
}
