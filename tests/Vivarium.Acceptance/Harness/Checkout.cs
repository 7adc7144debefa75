namespace Vivarium.Acceptance.Harness;

/// <summary>Where things are: the checkout, the built programs, the machine's cache for what is too slow to make in every run.</summary>
internal static class Checkout
{
    public static string Root { get; } = FindRoot();

    public static string Dist => Path.Combine(Root, "artifacts", "dist");

    public static string Viv => Path.Combine(Dist, "viv");

    /// <summary>Outside the tree on purpose: a fresh clone on the same machine finds it again.</summary>
    public static string Cache => Environment.GetEnvironmentVariable("VIVARIUM_TEST_CACHE") is { Length: > 0 } dir ? dir : "/var/cache/vivarium-tests";

    private static string FindRoot()
    {
        for (var dir = new DirectoryInfo(AppContext.BaseDirectory); dir is not null; dir = dir.Parent)
        {
            if (File.Exists(Path.Combine(dir.FullName, "Vivarium.slnx")))
            {
                return dir.FullName;
            }
        }

        throw new InvalidOperationException($"no Vivarium.slnx above {AppContext.BaseDirectory}: the tests run from the checkout they were built in");
    }
}
