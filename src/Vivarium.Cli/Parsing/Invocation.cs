using System.CommandLine;
using System.CommandLine.Parsing;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Output;
using Vivarium.Cli.Terminal;
using Vivarium.Configuration;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Parsing;

/// <summary>One call of one verb: the parsed words, the two outputs, the configuration and the way to the daemon.</summary>
internal sealed class Invocation(ParseResult parsed, string path, string? configFile, bool json, IReadOnlyList<string>? command, Stdio stdio, TextOut output, TextOut messages, TimeProvider clock)
{
    private VivariumConfig? _config;

    /// <summary>The command as typed, for example <c>viv template build</c>.</summary>
    public string Path => path;

    /// <summary>File named with --config.</summary>
    public string? ConfigFile => configFile;

    /// <summary>Whether --json was given.</summary>
    public bool Json => json;

    /// <summary>The words after <c>--</c>; null when there was no <c>--</c>.</summary>
    public IReadOnlyList<string>? Command => command;

    /// <summary>The standard descriptors, for what goes past the text outputs.</summary>
    public Stdio Stdio => stdio;

    public TextOut Output => output;

    public TextOut Messages => messages;

    public TimeProvider Clock => clock;

    public VivariumConfig Config => _config ??= ConfigLoader.Load(ConfigSources.OfThisProcess(configFile));

    public T? Get<T>(Option<T> option) => parsed.GetValue(option);

    public T? Get<T>(Argument<T> argument) => parsed.GetValue(argument);

    public bool Has(Option option) => parsed.GetResult(option) is OptionResult { Implicit: false };

    /// <summary>The daemon, started when it does not run.</summary>
    public HostConnection Connect() => DaemonStarter.Connect(Config, configFile, messages);

    /// <summary>The daemon if it runs.</summary>
    public HostConnection? TryConnect() => DaemonSocket.TryConnect(Config);

    public static VivariumException Usage(string message, string? hint = null) => new(ErrorCode.InvalidArgument, message, hint, "usage");
}
