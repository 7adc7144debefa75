namespace Vivarium.Runtimes.Probing;

/// <summary>A program that may be an engine; an empty path means that none was found.</summary>
internal readonly record struct EngineCandidate(string Engine, string Path, string Looked);

/// <summary>Finds engine programs: the configured one, or those on the search path and in the directories of unpacked packages.</summary>
internal static class EngineCandidates
{
    public static IReadOnlyList<EngineCandidate> Find(EngineProbeOptions options) =>
    [
        .. Of("runc", options.Runc, options),
        .. Of("crun", options.Crun, options),
        .. Of("runsc", options.Runsc, options),
    ];

    private static List<EngineCandidate> Of(string engine, string configured, EngineProbeOptions options)
    {
        if (configured.Length > 0)
        {
            return [new(engine, File.Exists(configured) ? configured : "", $"{configured}, which the configuration names, does not exist")];
        }

        List<EngineCandidate> found = [];
        if (engine == "runsc")
        {
            foreach (var directory in options.EngineDirectories.Where(Directory.Exists))
            {
                foreach (var package in Directory.EnumerateDirectories(directory).Order(StringComparer.Ordinal))
                {
                    AddIfThere(found, engine, Path.Combine(package, "usr/bin", engine));
                }
            }
        }

        foreach (var directory in options.SearchPath)
        {
            if (AddIfThere(found, engine, Path.Combine(directory, engine)))
            {
                break;
            }
        }

        return found.Count > 0 ? found : [new(engine, "", $"{engine} is not installed")];
    }

    private static bool AddIfThere(List<EngineCandidate> found, string engine, string path)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        found.Add(new(engine, path, ""));
        return true;
    }
}
