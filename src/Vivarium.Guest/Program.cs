using System.Text;
using Vivarium.Guest;
using Vivarium.Guest.Init;
using Vivarium.Guest.Io;
using Vivarium.Guest.Processes;

// viv-guest init      the agent: PID 1 of a sandbox, or a plain child for the runtime "direct"
// viv-guest hostname  sets the host name: run by an engine that may, where the agent itself must not
// viv-guest version   prints the version
switch (args)
{
    case ["version"]:
        Print(1, $"viv-guest {GuestVersion.Text}\n");
        return 0;
    case ["hostname", var name]:
        SystemCalls.SetHostname(name);
        return 0;
    case ["init"]:
        var token = Environment.GetEnvironmentVariable("VIV_TOKEN");
        if (string.IsNullOrEmpty(token))
        {
            ConsoleLog.Write("VIV_TOKEN is not set; without it no host can be told from another");
            return 2;
        }

        AgentEnvironment.Forget("VIV_TOKEN");
        WorkCgroups.TakeFromEnvironment();
        return await GuestAgent.RunAsync(token);
    default:
        Print(2, "usage: viv-guest init | viv-guest hostname NAME | viv-guest version\n");
        return 2;
}

static unsafe void Print(int fd, string text)
{
    var bytes = Encoding.UTF8.GetBytes(text);

    // SAFETY: the array is pinned for the call and its length is passed.
    fixed (byte* start = bytes)
    {
        _ = Libc.Write(fd, start, (nuint)bytes.Length);
    }
}
