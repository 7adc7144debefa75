namespace Vivarium.Runtimes.Tests.Harness;

/// <summary>A root file system of one static busybox: enough to run commands, made in a few milliseconds.</summary>
internal static class TestRoot
{
    private static readonly string[] Applets =
        ["sh", "true", "false", "cat", "echo", "sleep", "id", "ls", "mount", "dd", "head", "yes", "kill", "ps", "mkdir", "mknod", "hostname", "grep", "wc", "env", "stat", "chown", "touch", "setsid", "test"];

    public static string Make(string directory)
    {
        foreach (var name in (string[])["bin", "proc", "sys", "dev", "run", "tmp", "etc", "root"])
        {
            Directory.CreateDirectory(Path.Combine(directory, name));
        }

        File.Copy("/bin/busybox", Path.Combine(directory, "bin/busybox"));
        File.SetUnixFileMode(Path.Combine(directory, "bin/busybox"), (UnixFileMode)0b111_101_101);
        foreach (var applet in Applets)
        {
            File.CreateSymbolicLink(Path.Combine(directory, "bin", applet), "busybox");
        }

        using (var passwd = File.CreateText(Path.Combine(directory, "etc/passwd")))
        {
            passwd.Write("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n");
        }

        using (var group = File.CreateText(Path.Combine(directory, "etc/group")))
        {
            group.Write("root:x:0:\nuser:x:1000:\n");
        }

        return directory;
    }
}
