namespace Vivarium.Runtimes.Tests.Harness;

/// <summary>The cgroup all sandboxes of this test process live below; nobody else's.</summary>
internal static class TestCgroup
{
    public static string Root { get; } = $"/vivarium-test-runtimes-{Environment.ProcessId}";
}
