using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Net;

/// <summary>A sandbox's processes as the host sees them.</summary>
internal static class SandboxProcess
{
    /// <summary>Pid on the host of the sandbox's init or, in gVisor, its kernel: a process below the supervisor in another network namespace that has an interface.</summary>
    public static async Task<string> InitAsync(TestSandbox box)
    {
        var supervisor = (await box.SupervisorPidAsync()).ToString(System.Globalization.CultureInfo.InvariantCulture);
        var own = File.ResolveLinkTarget($"/proc/{supervisor}/ns/net", false)!.Name;
        return Below(supervisor).First(pid => File.ResolveLinkTarget($"/proc/{pid}/ns/net", false)!.Name != own && File.ReadAllText($"/proc/{pid}/net/dev").Contains("eth0:", StringComparison.Ordinal));
    }

    private static IEnumerable<string> Below(string pid) => Directory.GetDirectories($"/proc/{pid}/task")
        .SelectMany(static task => File.ReadAllText(task + "/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .SelectMany(static child => Below(child).Prepend(child));
}
