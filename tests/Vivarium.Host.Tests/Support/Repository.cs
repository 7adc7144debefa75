namespace Vivarium.Host.Tests.Support;

/// <summary>The checkout these tests were built from.</summary>
internal static class Repository
{
    /// <summary>Its top directory.</summary>
    public static string Root { get; } = Find();

    private static string Find()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "Vivarium.slnx")))
        {
            root = root.Parent ?? throw new DirectoryNotFoundException("these tests do not lie in the repository");
        }

        return root.FullName;
    }
}
