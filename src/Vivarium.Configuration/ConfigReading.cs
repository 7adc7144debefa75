using System.Net;
using System.Text;
using Vivarium.Configuration.Schema;
using Vivarium.Configuration.Toml;
using Vivarium.Configuration.Values;

namespace Vivarium.Configuration;

/// <summary>One reading: collects values, their sources and the errors.</summary>
internal sealed class ConfigReading(ConfigSources sources, ITomlReader toml)
{
    /// <summary>Largest file read, in bytes.</summary>
    public const int MaxFileBytes = 1024 * 1024;

    private readonly List<ConfigError> _errors = [];
    private readonly Dictionary<ConfigKey, string> _origins = [];
    private readonly List<string> _files = [];
    private VivariumConfig _config = ConfigPlaces.Defaults(sources);

    public ConfigResult Run()
    {
        ReadFile();
        ReadEnvironment();
        ReadFlags();
        CheckTogether();
        var settings = ConfigSchema.Keys
            .Select(key => new ConfigSetting(key.Dotted, key.Type.Format(key.Get(_config)), _origins.GetValueOrDefault(key, "default"), key.Description))
            .ToArray();
        return new ConfigResult(_config with { Files = _files, Settings = settings }, _errors);
    }

    private void ReadFile()
    {
        var (path, required) = ConfigPlaces.File(sources);
        if (ReadText(path, required) is not { } text)
        {
            return;
        }

        _files.Add(path);
        var document = toml.Read(text);
        foreach (var error in document.Errors)
        {
            _errors.Add(new ConfigError($"{path}:{error.Position.Line}:{error.Position.Column}", null, error.Message));
        }

        foreach (var section in document.Root.Entries)
        {
            ReadSection(path, section);
        }
    }

    private string? ReadText(string path, bool required)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (file.CanSeek && file.Length > MaxFileBytes)
            {
                _errors.Add(new ConfigError(path, null, "the file is larger than 1 MiB"));
                return null;
            }

            // Bounded also where the length is not known, as for a pipe.
            var buffer = new byte[file.CanSeek ? (int)file.Length + 1 : MaxFileBytes + 1];
            var length = file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(buffer, 0, length).TrimStart('\uFEFF');
        }
        catch (Exception e) when (!required && e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            _errors.Add(new ConfigError(path, null, "the file does not exist"));
        }
        catch (UnauthorizedAccessException)
        {
            _errors.Add(new ConfigError(path, null, Directory.Exists(path) ? "is a directory, not a file" : "the file may not be read by this user"));
        }
        catch (DecoderFallbackException)
        {
            _errors.Add(new ConfigError(path, null, "the file is not valid UTF-8"));
        }
        catch (IOException e)
        {
            _errors.Add(new ConfigError(path, null, $"the file cannot be read ({e.GetType().Name})"));
        }

        return null;
    }

    private void ReadSection(string path, TomlEntry section)
    {
        var place = $"{path}:{section.KeyPosition.Line}";
        if (!ConfigSchema.Sections.Contains(section.Key))
        {
            _errors.Add(new ConfigError(place, section.Key, "there is no such section" + DidYouMean(section.Key, ConfigSchema.Sections)));
            return;
        }

        if (section.Value is not TomlTable table)
        {
            _errors.Add(new ConfigError(place, section.Key, $"must be a section ([{section.Key}]), not {section.Value.Describe()}"));
            return;
        }

        foreach (var entry in table.Entries)
        {
            var at = $"{path}:{entry.KeyPosition.Line}";
            if (ConfigSchema.Find(section.Key, entry.Key) is { } key)
            {
                Set(key, at, at, () => key.Type.Read(entry.Value));
            }
            else
            {
                _errors.Add(new ConfigError(at, $"{section.Key}.{entry.Key}", "there is no such key" + NearestKey(section.Key, entry.Key)));
            }
        }
    }

    private void ReadEnvironment()
    {
        foreach (var (name, text) in sources.Environment.Where(v => v.Key.StartsWith(ConfigSchema.VariablePrefix, StringComparison.Ordinal)).OrderBy(v => v.Key, StringComparer.Ordinal))
        {
            if (name == ConfigPlaces.FileVariable)
            {
                continue;
            }

            if (ConfigSchema.Keys.FirstOrDefault(key => key.Variable == name) is { } key)
            {
                Set(key, $"environment {name}", "environment", () => key.Type.Parse(text));
            }
            else if (LooksLikeOurs(name[ConfigSchema.VariablePrefix.Length..]))
            {
                _errors.Add(new ConfigError($"environment {name}", null, "there is no such key" + DidYouMean(name, ConfigSchema.Keys.Select(k => k.Variable))));
            }
        }
    }

    /// <summary>Other programs may keep variables with our prefix; those near one of our sections are taken for mistakes.</summary>
    private static bool LooksLikeOurs(string rest)
    {
        var underscore = rest.IndexOf('_', StringComparison.Ordinal);
        return underscore > 0 && ConfigSchema.Sections.Any(section => Suggestion.Distance(rest[..underscore], section) <= 1);
    }

    private void ReadFlags()
    {
        foreach (var (dotted, text) in sources.Flags)
        {
            if (ConfigSchema.Keys.FirstOrDefault(key => key.Dotted == dotted) is { } key)
            {
                Set(key, "--set", "flag", () => key.Type.Parse(text));
            }
            else
            {
                _errors.Add(new ConfigError("--set", dotted, "there is no such key" + DidYouMean(dotted, ConfigSchema.Keys.Select(k => k.Dotted))));
            }
        }
    }

    private void Set(ConfigKey key, string place, string origin, Func<object?> read)
    {
        try
        {
            _config = key.With(_config, read());
            _origins[key] = origin;
        }
        catch (FormatException e)
        {
            _errors.Add(new ConfigError(place, key.Dotted, e.Message));
        }
    }

    /// <summary>Keys that contradict each other. A default nobody chose follows a lower limit; one that was chosen must fit.</summary>
    private void CheckTogether()
    {
        Fit("defaults.cpus", "limits.max_cpus", _config.Defaults.Cpus > _config.Limits.MaxCpus);
        Fit("defaults.memory", "limits.max_memory", _config.Defaults.Memory > _config.Limits.MaxMemory);
        Fit("defaults.pids", "limits.max_pids", _config.Defaults.Pids > _config.Limits.MaxPids);
        Fit("defaults.timeout", "limits.max_timeout", _config.Defaults.Timeout > _config.Limits.MaxTimeout);
        if (_config.Http is { Listen.Length: > 0, AllowRemote: false } && IPEndPoint.TryParse(_config.Http.Listen, out var endpoint) && !IPAddress.IsLoopback(endpoint.Address))
        {
            _errors.Add(new ConfigError(
                _origins[Key("http.listen")], "http.listen", "is not a loopback address; what it serves is open to whoever reaches it: set http.allow_remote = true if that is meant"));
        }

        if (_config.Sessions.Enabled && _config.Http.Listen.Length == 0)
        {
            _errors.Add(new ConfigError(_origins[Key("sessions.enabled")], "sessions.enabled", "needs an address to be served on: set http.listen, for example \"127.0.0.1:7780\""));
        }

        if (_config is { Sessions: { Enabled: true, TokenFile.Length: 0 }, Http.Listen.Length: > 0 }
            && IPEndPoint.TryParse(_config.Http.Listen, out var served) && !IPAddress.IsLoopback(served.Address))
        {
            _errors.Add(new ConfigError(
                _origins[Key("sessions.enabled")], "sessions.enabled", "must not be open to other machines without a token: set sessions.token_file, or listen on a loopback address"));
        }

        if (_config.Defaults.Runtime == "direct" && !_config.Runtime.AllowDirect)
        {
            _errors.Add(new ConfigError(_origins[Key("defaults.runtime")], "defaults.runtime", "\"direct\" needs runtime.allow_direct = true"));
        }
    }

    private void Fit(string dotted, string limitDotted, bool exceeds)
    {
        if (!exceeds)
        {
            return;
        }

        var key = Key(dotted);
        var limit = Key(limitDotted);
        if (_origins.TryGetValue(key, out var origin))
        {
            _errors.Add(new ConfigError(origin, dotted, $"exceeds {limitDotted} ({Text(key)} > {Text(limit)})"));
        }
        else
        {
            _config = key.With(_config, limit.Get(_config));
            _origins[key] = limitDotted;
        }
    }

    private static ConfigKey Key(string dotted) => ConfigSchema.Keys.First(key => key.Dotted == dotted);

    private string Text(ConfigKey key) => key.Type.Format(key.Get(_config)).Trim('"');

    private static string NearestKey(string section, string name)
    {
        var here = DidYouMean(name, ConfigSchema.Keys.Where(key => key.Section == section).Select(key => key.Name));
        return here.Length > 0 ? here
            : ConfigSchema.Keys.FirstOrDefault(key => key.Name == name) is { } elsewhere ? $"; did you mean '{elsewhere.Dotted}'?"
            : $"; [{section}] has {string.Join(", ", ConfigSchema.Keys.Where(key => key.Section == section).Select(key => key.Name))}";
    }

    private static string DidYouMean(string written, IEnumerable<string> known) =>
        Suggestion.Nearest(written, known) is { } near ? $"; did you mean '{near}'?" : "";
}
