using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Daemon;

/// <summary>Asks about the daemon and ends it.</summary>
internal static class DaemonState
{
    private const int StopSeconds = 60;

    public static ConnectionWait Patience() => new(TimeSpan.FromSeconds(10));

    public static VersionReply Version(HostConnection host) => host.Call(HostMethod.Version, HostJson.Default.VersionReply, Patience());

    /// <summary>
    /// Stops the daemon and returns when its process has gone; false when it did not run. Taking the pool off is the daemon's work, so
    /// <paramref name="unmount"/> starts one that does not run.
    /// </summary>
    public static bool Stop(Invocation call, bool unmount = false)
    {
        using var host = unmount ? call.Connect() : call.TryConnect();
        if (host is null)
        {
            return false;
        }

        var pid = Version(host).Pid;
        using var progress = new Progress(call.Messages, "stopping the daemon", quiet: false);
        try
        {
            host.Call(HostMethod.Shutdown, new ShutdownParams { Unmount = unmount ? true : null }, HostJson.Default.ShutdownParams, HostJson.Default.Empty);
        }
        catch (VivariumException e) when (e.Code == ErrorCode.Unavailable)
        {
            // It was quicker than its answer.
        }

        var deadline = Environment.TickCount64 + (StopSeconds * 1000);
        while (Runs(pid))
        {
            if (Environment.TickCount64 > deadline)
            {
                throw new VivariumException(ErrorCode.DeadlineExceeded, $"the daemon (process {pid}) did not end within {StopSeconds} s", $"look at {DaemonStarter.LogPath(call.Config)}");
            }

            progress.Tick();
            _ = Fd.Wait(-1, 0, 10);
        }

        return true;
    }

    /// <summary>Whether the process is there and not merely waiting to be collected by its parent.</summary>
    private static bool Runs(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..] is not ['Z' or 'X', ..];
        }
        catch (IOException)
        {
            return false;
        }
    }
}
