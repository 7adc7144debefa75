using System.Globalization;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Output;

/// <summary>
/// Shows what takes long, on standard error: a spinner or bar with stage and time on a terminal, a line now and then elsewhere. Appears only after half a second
/// (off a terminal: two), so that quick things stay quiet.
/// </summary>
internal sealed class Progress : IDisposable
{
    private const int BarWidth = 24;
    private const int FirstFrameMs = 500;
    private const int FirstLineMs = 2000;
    private const int LineEveryMs = 5000;
    private static readonly string[] Frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
    private readonly TextOut _messages;
    private readonly bool _quiet;
    private readonly long _began = Environment.TickCount64;
    private string _text;
    private double? _fraction;
    private string? _lastLine;
    private long _nextLine = FirstLineMs;
    private bool _drawn;

    public Progress(TextOut messages, string text, bool quiet) => (_messages, _text, _quiet) = (messages, text, quiet);

    private long Elapsed => Environment.TickCount64 - _began;

    /// <summary>Takes an operation's progress.</summary>
    public void Report(OperationEvent progress) => Report(progress.Message ?? progress.Stage, progress.Fraction);

    public void Report(string text, double? fraction)
    {
        (_text, _fraction) = (Style.Safe(text), fraction);
        Tick();
    }

    /// <summary>Redraws; called ten times a second while waiting.</summary>
    public void Tick()
    {
        if (_quiet || Elapsed < FirstFrameMs)
        {
            return;
        }

        if (!_messages.IsTerminal)
        {
            if (_text != _lastLine && Elapsed >= _nextLine)
            {
                _lastLine = _text;
                _nextLine = Elapsed + LineEveryMs;
                _messages.Line(_text).Flush();
            }

            return;
        }

        var seconds = (Elapsed / 1000).ToString(CultureInfo.InvariantCulture) + "s";
        var line = _fraction is { } fraction
            ? $"{Bar(fraction)} {Math.Clamp((int)(fraction * 100), 0, 100),3}%  {_text}  {seconds}"
            : $"{Frames[Elapsed / 100 % Frames.Length]} {_text}  {seconds}";
        var width = _messages.Width == int.MaxValue ? 80 : _messages.Width - 1;
        _messages.Write("\r").Write(line.Length > width ? line[..Math.Max(width, 0)] : line).Write("\u001b[K").Flush();
        _drawn = true;
    }

    /// <summary>Takes the line off the terminal again.</summary>
    public void Dispose()
    {
        if (_drawn)
        {
            _messages.Write("\r\u001b[K").Flush();
            _drawn = false;
        }
    }

    private static string Bar(double fraction)
    {
        var full = Math.Clamp((int)(fraction * BarWidth), 0, BarWidth);
        return new string('█', full) + new string('░', BarWidth - full);
    }
}
