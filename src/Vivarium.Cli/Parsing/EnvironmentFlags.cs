using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Parsing;

/// <summary>Environment of a sandbox or process from --env and --env-file; --env wins.</summary>
internal static class EnvironmentFlags
{
    private const int MaxFileBytes = 1024 * 1024;

    public static Dictionary<string, string>? Read(string[]? words, string[]? files)
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var file in files ?? [])
        {
            ReadFile(file, variables);
        }

        foreach (var word in words ?? [])
        {
            Set(variables, word, $"--env '{word.Split('=')[0]}'");
        }

        return variables.Count > 0 ? variables : null;
    }

    private static void ReadFile(string path, Dictionary<string, string> variables)
    {
        string[] lines;
        try
        {
            if (new FileInfo(path).Length > MaxFileBytes)
            {
                throw new VivariumException(ErrorCode.InvalidArgument, $"--env-file: {path} is larger than 1 MiB");
            }

            lines = File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VivariumException(ErrorCode.NotFound, $"--env-file: {path} cannot be read", "name a file of K=V lines", inner: e);
        }

        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i].Trim();
            if (line.Length > 0 && line[0] != '#')
            {
                Set(variables, line, $"{path}:{i + 1}");
            }
        }
    }

    /// <summary><c>K=V</c>, or <c>K</c> for the value we have ourselves; a variable we do not have is left out.</summary>
    private static void Set(Dictionary<string, string> variables, string word, string place)
    {
        var equals = word.IndexOf('=', StringComparison.Ordinal);
        var name = equals < 0 ? word : word[..equals];
        if (name.Length == 0 || name.Any(c => c is '\0' || char.IsWhiteSpace(c)))
        {
            throw Invocation.Usage($"{place}: an environment variable needs a name without blanks");
        }

        if (equals >= 0)
        {
            variables[name] = word[(equals + 1)..];
        }
        else if (Environment.GetEnvironmentVariable(name) is { } value)
        {
            variables[name] = value;
        }
    }
}
