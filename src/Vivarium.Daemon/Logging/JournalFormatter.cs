using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Vivarium.Daemon.Logging;

/// <summary>
/// Lines for the journal: <c>&lt;priority&gt;category[event] operation: message</c>, without a time, for the journal has its own. Every line of an exception has the
/// priority of its first. Source: sd-daemon(3), SD_ERR and its like.
/// </summary>
internal sealed class JournalFormatter() : ConsoleFormatter(FormatterName)
{
    /// <summary>Name of the formatter.</summary>
    public const string FormatterName = "vivarium-journal";

    /// <summary>Whether standard error is the journal. Source: systemd.exec(5), $JOURNAL_STREAM (device and inode, in decimal).</summary>
    public static bool IsJournal(string? journalStream, string? standardError) =>
        journalStream?.Split(':') is [_, { Length: > 0 } inode] && standardError == $"socket:[{inode}]";

    /// <inheritdoc/>
    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var text = new StringBuilder();
        text.Append(logEntry.Category).Append('[').Append(logEntry.EventId.Id).Append(']');
        scopeProvider?.ForEachScope(static (scope, to) => to.Append(' ').Append(scope), text);
        text.Append(": ").Append(logEntry.Formatter?.Invoke(logEntry.State, logEntry.Exception));
        if (logEntry.Exception is { } exception)
        {
            text.Append('\n').Append(exception);
        }

        var prefix = $"<{Priority(logEntry.LogLevel)}>";
        foreach (var line in text.ToString().Split('\n'))
        {
            textWriter.Write(prefix);
            textWriter.Write(line.TrimEnd('\r'));
            textWriter.Write('\n');
        }
    }

    private static int Priority(LogLevel level) => level switch
    {
        LogLevel.Critical => 2,
        LogLevel.Error => 3,
        LogLevel.Warning => 4,
        LogLevel.Information => 6,
        _ => 7,
    };
}
