namespace Vivarium.Cli.Tests;

/// <summary>Texts that people and scripts see, kept in files: a change is a reviewed difference. VIVARIUM_UPDATE_GOLDEN=1 writes them anew.</summary>
internal static class Golden
{
    public static void Check(string name, string actual)
    {
        var path = Path.Combine(Root(), "tests/Vivarium.Cli.Tests/Golden", name);
        if (Environment.GetEnvironmentVariable("VIVARIUM_UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using var writer = new StreamWriter(path);
            writer.Write(actual);
            return;
        }

        Assert.True(File.Exists(path), $"{path} does not exist; VIVARIUM_UPDATE_GOLDEN=1 writes it");
        Assert.Equal(File.ReadAllText(path), actual);
    }

    private static string Root()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "Vivarium.slnx")))
        {
            directory = Path.GetDirectoryName(directory) ?? throw new InvalidOperationException("the repository is not above the tests");
        }

        return directory;
    }
}
