using System.Globalization;
using System.Text;
using Vivarium.Guest.Io;

namespace Vivarium.Guest.Init;

/// <summary>The agent's own log: one line each on standard error, which the supervisor keeps as the console log. Never holds a secret or a command's output.</summary>
internal static class ConsoleLog
{
    private const int MaxLine = 1000;
    private const int StandardError = 2;

    /// <summary>Writes a line. A console that nobody reads loses lines rather than stopping the agent.</summary>
    public static unsafe void Write(string message)
    {
        var line = message.Length > MaxLine ? message[..MaxLine] + "…" : message;
        var time = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        var bytes = Encoding.UTF8.GetBytes($"{time} viv-guest: {line.ReplaceLineEndings(" ")}\n");

        // SAFETY: the array is pinned for the call and its length is passed.
        fixed (byte* start = bytes)
        {
            _ = Libc.Write(StandardError, start, (nuint)bytes.Length);
        }
    }
}
