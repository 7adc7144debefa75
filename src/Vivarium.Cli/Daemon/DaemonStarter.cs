using System.Runtime.InteropServices;
using Vivarium.Cli.Install;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Configuration;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Daemon;

/// <summary>Connects to the daemon and starts it first when it does not run: one starter at a time, detached, its output in a log file.</summary>
internal static class DaemonStarter
{
    private const int StartSeconds = 60;
    private const int StepMs = 15;
    private static readonly string[] Inherited = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "http_proxy", "https_proxy"];

    public static string LogPath(VivariumConfig config) => Path.Combine(config.Paths.State, "vivd.log");

    public static HostConnection Connect(VivariumConfig config, string? configFile, TextOut messages) =>
        DaemonSocket.TryConnect(config) ?? Start(config, configFile, messages);

    /// <summary>Starts the daemon and waits until it answers.</summary>
    public static HostConnection Start(VivariumConfig config, string? configFile, TextOut messages)
    {
        using var progress = new Progress(messages, "starting the daemon", quiet: false);
        if (ServiceManager.Owns(configFile))
        {
            ServiceManager.Start();
            return DaemonSocket.TryConnect(config)
                ?? throw new VivariumException(ErrorCode.Unavailable, "systemd started the daemon, but it does not answer", $"journalctl -u {InstallLayout.UnitName} -e", "daemon_start_failed");
        }

        var program = Programs.Daemon();
        Prepare(config);
        var deadline = Environment.TickCount64 + (StartSeconds * 1000);
        var lockFd = Lock(config, progress, deadline, out var other);
        if (other is not null)
        {
            return other;
        }

        try
        {
            // Somebody may have started it while we waited for the lock.
            if (DaemonSocket.TryConnect(config) is { } running)
            {
                return running;
            }

            var logged = File.Exists(LogPath(config)) ? new FileInfo(LogPath(config)).Length : 0;
            var child = Spawn(program, config, configFile);
            for (; ; )
            {
                if (DaemonSocket.TryConnect(config) is { } connection)
                {
                    return connection;
                }

                if (child.Exited.IsCompleted || Environment.TickCount64 > deadline)
                {
                    throw Failed(config, logged, child);
                }

                progress.Tick();
                _ = Fd.Wait(-1, 0, StepMs);
            }
        }
        finally
        {
            _ = Posix.close(lockFd);
        }
    }

    /// <summary>Environment of the daemon: ours, less what is nobody's business there.</summary>
    public static IReadOnlyList<string> DaemonEnvironment()
    {
        var variables = new List<string>();
        foreach (System.Collections.DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            var name = (string)entry.Key;
            if (Inherited.Contains(name) || name.StartsWith("VIVARIUM_", StringComparison.Ordinal) || name.StartsWith("DOTNET_", StringComparison.Ordinal) || name.StartsWith("XDG_", StringComparison.Ordinal))
            {
                variables.Add($"{name}={entry.Value}");
            }
        }

        return variables;
    }

    private static void Prepare(VivariumConfig config)
    {
        foreach (var directory in new[] { config.Paths.Runtime, config.Paths.State })
        {
            try
            {
                Directory.CreateDirectory(directory, (UnixFileMode)Convert.ToInt32("755", 8));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new VivariumException(
                    ErrorCode.PermissionDenied, $"the daemon does not run, and this user cannot make {directory} to start it", "run viv as root, or start vivd as a service", inner: e);
            }
        }
    }

    private static int Lock(VivariumConfig config, Progress progress, long deadline, out HostConnection? running)
    {
        running = null;
        var path = Path.Combine(config.Paths.Runtime, "vivd.start.lock");
        var fd = Posix.open(path, Posix.ORdwr | Posix.OCreat | Posix.OCloexec, Convert.ToInt32("600", 8));
        if (fd < 0)
        {
            throw new VivariumException(
                ErrorCode.PermissionDenied, $"the daemon does not run, and this user cannot start it ({path}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())})", "run viv as root");
        }

        while (Posix.flock(fd, Posix.LockExNb) != 0)
        {
            if (DaemonSocket.TryConnect(config) is { } connection)
            {
                _ = Posix.close(fd);
                running = connection;
                return -1;
            }

            if (Environment.TickCount64 > deadline)
            {
                _ = Posix.close(fd);
                throw new VivariumException(ErrorCode.DeadlineExceeded, $"another viv has been starting the daemon for {StartSeconds} s", $"look at {LogPath(config)}");
            }

            progress.Tick();
            _ = Fd.Wait(-1, 0, StepMs);
        }

        return fd;
    }

    private static ChildProcess Spawn(string program, VivariumConfig config, string? configFile)
    {
        var log = Posix.open(LogPath(config), Posix.OWronly | Posix.OCreat | Posix.OAppend | Posix.OCloexec, Convert.ToInt32("640", 8));
        if (log < 0)
        {
            throw new VivariumException(
                ErrorCode.PermissionDenied, $"the daemon's log {LogPath(config)} cannot be opened: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}", "run viv as root");
        }

        try
        {
            return ChildProcess.Start(new SpawnOptions
            {
                FileName = program,
                Argv = [program, .. Programs.DaemonArguments(configFile)],
                Env = DaemonEnvironment(),
                Cwd = "/",
                Fds = [new FdMapping(log, 1), new FdMapping(log, 2)],
                NewSession = true,
            });
        }
        finally
        {
            _ = Posix.close(log);
        }
    }

    private static VivariumException Failed(VivariumConfig config, long logged, ChildProcess child)
    {
        var ended = child.Exited.IsCompletedSuccessfully ? child.Exited.Result : null;
        var how = ended is null ? $"did not answer within {StartSeconds} s"
            : ended.Signal is { } signal ? $"was ended by signal {signal}"
            : $"ended with code {ended.Code}";
        var tail = LogTail(LogPath(config), logged);
        var said = tail.Length == 0 ? "" : ":\n  " + tail.Replace("\n", "\n  ", StringComparison.Ordinal);
        return new VivariumException(ErrorCode.Unavailable, $"the daemon {how}{said}", $"all of its log is in {LogPath(config)}; 'viv daemon run' shows it in the foreground", "daemon_start_failed");
    }

    /// <summary>The last lines written since then.</summary>
    private static string LogTail(string path, long from)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            file.Position = Math.Max(Math.Min(from, file.Length), file.Length - 4096);
            using var reader = new StreamReader(file);
            return string.Join('\n', reader.ReadToEnd().TrimEnd().Split('\n').TakeLast(8));
        }
        catch (IOException)
        {
            return "";
        }
    }
}
