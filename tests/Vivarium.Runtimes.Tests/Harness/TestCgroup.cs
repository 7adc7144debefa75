using Vivarium.TestKit;

[assembly: AssemblyFixture(typeof(Vivarium.Runtimes.Tests.Harness.TestCgroup))]

namespace Vivarium.Runtimes.Tests.Harness;

/// <summary>The cgroup all sandboxes of this test process live below; nobody else's. It goes with the process.</summary>
public sealed class TestCgroup : IAsyncDisposable
{
    public static string Root { get; } = $"/vivarium-test-runtimes-{Environment.ProcessId}";

    public async ValueTask DisposeAsync()
    {
        foreach (var hierarchy in Directory.EnumerateDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup"))
        {
            // Only the empty directory itself: a sandbox that is still below it is a leak, and the leak check shall see it.
            var directory = hierarchy + Root;
            if (Directory.Exists(directory) && Directory.GetDirectories(directory).Length == 0)
            {
                await Eventually.True(() => Removed(directory));
            }
        }
    }

    private static bool Removed(string directory)
    {
        try
        {
            Directory.Delete(directory);
            return true;
        }
        catch (IOException)
        {
            return !Directory.Exists(directory);
        }
    }
}
