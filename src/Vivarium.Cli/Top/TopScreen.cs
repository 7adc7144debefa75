using System.Text;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Terminal;

namespace Vivarium.Cli.Top;

/// <summary>
/// The live table on a terminal: the alternate screen, redrawn in place, cut to the size it has at that moment. Whatever ends it, the terminal is as it was.
/// </summary>
internal sealed class TopScreen : IDisposable
{
    private const int Winch = 28, Continued = 18, Interrupt = 2;
    private const string Enter = "\u001b[?1049h\u001b[?25l", Leave = "\u001b[?25h\u001b[?1049l";
    private const char CtrlC = '\u0003', CtrlD = '\u0004';

    private readonly TextOut _output;
    private readonly int _input;
    private readonly SignalPipe _signals;
    private readonly RawMode? _raw;

    public TopScreen(TextOut output, int input)
    {
        (_output, _input) = (output, input);
        _signals = new SignalPipe(
            System.Runtime.InteropServices.PosixSignal.SIGINT, System.Runtime.InteropServices.PosixSignal.SIGTERM, System.Runtime.InteropServices.PosixSignal.SIGHUP,
            System.Runtime.InteropServices.PosixSignal.SIGWINCH, System.Runtime.InteropServices.PosixSignal.SIGCONT);
        _raw = RawMode.TryEnter(input);
        _signals.BeforeHardExit = Restore;
        _output.Write(Enter).Flush();
    }

    /// <summary>Draws a heading and a table.</summary>
    public void Draw(string heading, Table table)
    {
        var (columns, rows) = TerminalSize.Of(_output.Descriptor) ?? (80, 24);
        var frame = new StringBuilder("\u001b[H");
        string[] lines = [heading.Length > columns ? heading[..columns] : heading, .. table.Lines(columns, _output.Color)];
        for (var i = 0; i < Math.Min(lines.Length, rows); i++)
        {
            // Raw mode: a line feed alone does not go back to the first column.
            frame.Append(i == 0 ? "" : "\r\n").Append(lines[i]).Append("\u001b[K");
        }

        _output.Write(frame.Append("\u001b[J").ToString()).Flush();
    }

    /// <summary>Waits for a key; null when it is time for the next look or the size has changed, <c>q</c> at the end of input.</summary>
    public char? Wait(int milliseconds)
    {
        try
        {
            if (!_signals.WaitWith(_raw is null ? -1 : _input, milliseconds))
            {
                return null;
            }
        }
        catch (InterruptedException e) when (e.Signal is Winch or Continued)
        {
            _raw?.Enter();
            return ' ';
        }
        catch (InterruptedException e) when (e.Signal == Interrupt)
        {
            return 'q';
        }

        Span<byte> typed = stackalloc byte[16];
        var count = Fd.Read(_input, typed);

        // What begins with an escape is an arrow or function key, or escape itself.
        return count <= 0 || typed[0] is (byte)CtrlC or (byte)CtrlD ? 'q' : typed[0] == 0x1b ? (count == 1 ? 'q' : ' ') : (char)typed[0];
    }

    public void Dispose()
    {
        Restore();
        _signals.Dispose();
    }

    private void Restore()
    {
        _output.Write(Leave).Flush();
        _raw?.Dispose();
    }
}
