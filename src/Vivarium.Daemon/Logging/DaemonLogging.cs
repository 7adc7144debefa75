using Microsoft.Extensions.Logging.Console;
using Vivarium.Configuration.Sections;

namespace Vivarium.Daemon.Logging;

/// <summary>
/// Logs go to standard error, as text or JSON lines, with their scopes (operation ids). Whoever started us decides where that leads; where it is the journal, text
/// has the form the journal likes.
/// </summary>
internal static class DaemonLogging
{
    private const string Timestamp = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";

    /// <summary>Makes the factory.</summary>
    public static ILoggerFactory Create(DaemonConfig config) => LoggerFactory.Create(builder =>
    {
        builder.SetMinimumLevel(Level(config.LogLevel));
        builder.AddConsole(static o => o.LogToStandardErrorThreshold = LogLevel.Trace);
        if (config.LogFormat == "json")
        {
            builder.AddJsonConsole(static o =>
            {
                o.IncludeScopes = true;
                o.UseUtcTimestamp = true;
                o.TimestampFormat = Timestamp.TrimEnd();
            });
        }
        else if (JournalFormatter.IsJournal(Environment.GetEnvironmentVariable("JOURNAL_STREAM"), File.ResolveLinkTarget("/proc/self/fd/2", returnFinalTarget: false)?.Name))
        {
            builder.AddConsole(static o => o.FormatterName = JournalFormatter.FormatterName);
            builder.Services.AddSingleton<ConsoleFormatter, JournalFormatter>();
        }
        else
        {
            builder.AddSimpleConsole(static o =>
            {
                o.IncludeScopes = true;
                o.SingleLine = true;
                o.UseUtcTimestamp = true;
                o.TimestampFormat = Timestamp;
                o.ColorBehavior = Microsoft.Extensions.Logging.Console.LoggerColorBehavior.Disabled;
            });
        }
    });

    private static LogLevel Level(string text) => text switch
    {
        "trace" => LogLevel.Trace,
        "debug" => LogLevel.Debug,
        "warn" => LogLevel.Warning,
        "error" => LogLevel.Error,
        _ => LogLevel.Information,
    };
}
