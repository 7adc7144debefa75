using System.Globalization;
using System.Text;

namespace Vivarium.Supervisor.Logs;

/// <summary><c>supervisor.log</c>: one line an event, with the time and the milliseconds since this supervisor began.</summary>
internal sealed class SupervisorLog : IAsyncDisposable
{
    private readonly RotatingFile file;
    private readonly long began = TimeProvider.System.GetTimestamp();

    public SupervisorLog(string directory, long maxBytes) => file = new RotatingFile(Path.Combine(directory, "supervisor.log"), maxBytes);

    /// <summary>Writes a line.</summary>
    public void Write(string text)
    {
        var time = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
        var elapsed = TimeProvider.System.GetElapsedTime(began).TotalMilliseconds;
        file.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{time} +{elapsed:0.0}ms {text.ReplaceLineEndings(" ")}\n")));
    }

    /// <summary>Writes a failure with its whole chain of causes.</summary>
    public void Write(string what, Exception e)
    {
        var text = new StringBuilder(what);
        for (var cause = e; cause is not null; cause = cause.InnerException!)
        {
            text.Append(CultureInfo.InvariantCulture, $": {cause.GetType().Name}: {cause.Message}");
        }

        Write(text.ToString());
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => file.DisposeAsync();
}
