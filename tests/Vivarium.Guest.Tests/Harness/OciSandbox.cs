using System.Text.Json;
using System.Text.Json.Nodes;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests.Harness;

/// <summary>A tiny root (busybox and four files) under runc or runsc, with the agent as its init; gone with the test.</summary>
internal sealed class OciSandbox : IAsyncDisposable
{
    private readonly string _directory;
    private readonly string _engine;
    private readonly string _id;

    private OciSandbox(string engine, string directory, string id)
    {
        _engine = engine;
        _directory = directory;
        _id = id;
    }

    public GuestInstance Guest { get; private set; } = null!;

    public string Root => Path.Combine(_directory, "rootfs");

    public static bool IsInstalled(string engine) => File.Exists($"/usr/bin/{engine}") || File.Exists($"/usr/sbin/{engine}") || File.Exists($"/usr/local/bin/{engine}");

    public static async Task<OciSandbox> StartAsync(string engine, bool hello = true, ConfigurePayload? configure = null, Action<JsonObject>? change = null)
    {
        var id = $"viv-guest-test-{Guid.NewGuid():N}";
        var directory = Directory.CreateTempSubdirectory("viv-guest-test-").FullName;
        var sandbox = new OciSandbox(engine, directory, id);
        var token = Guid.NewGuid().ToString("N");
        await MakeRootAsync(sandbox.Root);
        var config = Config(await GuestProgram.PathAsync(), token, engine == "runsc");
        change?.Invoke(config);
        await File.WriteAllBytesAsync(Path.Combine(directory, "config.json"), JsonSerializer.SerializeToUtf8Bytes(config));
        List<string> argv = [engine, "--root", Path.Combine(directory, "state")];
        if (engine == "runsc")
        {
            argv.AddRange(["--ignore-cgroups", "--network=none"]);
        }

        argv.AddRange(["run", "--bundle", directory, id]);
        sandbox.Guest = await GuestInstance.StartAsync(
            engine, argv, static _ => ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], hello, configure, token);
        return sandbox;
    }

    public async ValueTask DisposeAsync()
    {
        await Guest.DisposeAsync();
        await ChildRun.RunAsync(_engine, ["--root", Path.Combine(_directory, "state"), "delete", "--force", _id], new ChildRunOptions(), CancellationToken.None);
        Directory.Delete(_directory, recursive: true);
    }

    private static async Task MakeRootAsync(string root)
    {
        foreach (var directory in (string[])["bin", "dev", "etc", "proc", "run", "sys", "tmp", "root", "home/user", "usr/bin", "workspace"])
        {
            Directory.CreateDirectory(Path.Combine(root, directory));
        }

        File.SetUnixFileMode(Path.Combine(root, "tmp"), (UnixFileMode)0x1FF | UnixFileMode.StickyBit);
        File.Copy(File.Exists("/bin/busybox") ? "/bin/busybox" : "/usr/bin/busybox", Path.Combine(root, "bin/busybox"));
        await ChildRun.RunAsync("/bin/busybox", ["--install", "-s", Path.Combine(root, "bin")], new ChildRunOptions(), CancellationToken.None);
        foreach (var link in Directory.EnumerateFiles(Path.Combine(root, "bin")).Where(static file => Path.GetFileName(file) != "busybox"))
        {
            File.Delete(link);
            File.CreateSymbolicLink(link, "busybox");
        }

        await WriteAsync(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:A User:/home/user:/bin/sh\n");
        await WriteAsync(root, "etc/group", "root:x:0:\nuser:x:1000:\nstaff:x:50:user\n");
        await ChildRun.RunAsync("chown", ["1000:1000", Path.Combine(root, "home/user")], new ChildRunOptions(), CancellationToken.None);
    }

    private static Task WriteAsync(string root, string file, string text) => File.WriteAllBytesAsync(Path.Combine(root, file), System.Text.Encoding.UTF8.GetBytes(text));

    private static JsonObject Config(string agent, string token, bool gvisor)
    {
        string[] capabilities =
        [
            "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_SYS_CHROOT",
            "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE", "CAP_SYS_PTRACE",
        ];
        JsonArray Caps() => [.. capabilities.Select(static c => JsonValue.Create(c))];
        static JsonObject Mount(string destination, string type, string source, params string[] options) => new()
        {
            ["destination"] = destination,
            ["type"] = type,
            ["source"] = source,
            ["options"] = new JsonArray([.. options.Select(static o => JsonValue.Create(o))]),
        };
        var namespaces = new JsonArray([.. ((string[])["pid", "ipc", "uts", "mount", "network"]).Select(static n => new JsonObject { ["type"] = n })]);
        var config = new JsonObject
        {
            ["ociVersion"] = "1.0.2",
            ["hostname"] = "guest",
            ["root"] = new JsonObject { ["path"] = "rootfs" },
            ["process"] = new JsonObject
            {
                ["cwd"] = "/",
                ["args"] = new JsonArray("/run/vivarium/viv-guest", "init"),
                ["env"] = new JsonArray($"VIV_TOKEN={token}", "PATH=/bin"),
                ["user"] = new JsonObject { ["uid"] = 0, ["gid"] = 0 },
                ["capabilities"] = new JsonObject { ["bounding"] = Caps(), ["effective"] = Caps(), ["permitted"] = Caps() },
                ["noNewPrivileges"] = false,
            },
            ["mounts"] = new JsonArray(
                Mount("/proc", "proc", "proc"),
                Mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755"),
                Mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
                Mount("/dev/shm", "tmpfs", "shm", "nosuid", "nodev", "mode=1777"),
                Mount("/run", "tmpfs", "tmpfs", "nosuid", "mode=755"),
                Mount("/run/vivarium/viv-guest", "bind", agent, "bind", "ro")),
            ["linux"] = new JsonObject { ["namespaces"] = namespaces },
        };
        if (!gvisor)
        {
            // One level: the engine removes what it made, and a parent would stay behind.
            config["linux"]!["cgroupsPath"] = $"/viv-guest-test-{Guid.NewGuid():N}";
        }

        return config;
    }
}
