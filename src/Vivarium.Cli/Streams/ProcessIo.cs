using System.CommandLine;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Terminal;
using Vivarium.Wire.Guest;

namespace Vivarium.Cli.Streams;

/// <summary>
/// The flags that say how a process is joined to us. Piped standard input is forwarded by itself; a terminal's only with -i, because a command in the
/// background of a script must not eat what is typed.
/// </summary>
internal sealed class ProcessIo
{
    private readonly Option<bool> _interactive = Opt.Flag("--interactive", "forward standard input, also from a terminal", "-i");
    private readonly Option<bool> _tty = Opt.Flag("--tty", "give the process a terminal", "-t");
    private readonly Option<bool> _noStdin = Opt.Flag("--no-stdin", "do not read standard input", "-N");

    public ProcessIo(Command command)
    {
        command.Options.Add(_interactive);
        command.Options.Add(_tty);
        command.Options.Add(_noStdin);
    }

    /// <summary>Options of the joining. A shell (no command) on our terminal is interactive by itself.</summary>
    public ExecOptions Options(Invocation call, bool shell)
    {
        var terminal = Fd.IsTerminal(call.Stdio.Input);
        if (call.Get(_tty) && call.Get(_interactive) && !terminal)
        {
            throw Invocation.Usage("-it needs a terminal, and standard input is none", "leave -t out to pipe something in");
        }

        var tty = call.Get(_tty) || (shell && terminal && Fd.IsTerminal(call.Stdio.Output) && !call.Get(_noStdin));
        var stdin = !call.Get(_noStdin) && (call.Get(_interactive) || !terminal || (shell && tty));
        return new ExecOptions { Stdin = stdin, Tty = tty };
    }

    /// <summary>The terminal a process gets: ours in size and kind, else 80 by 24.</summary>
    public static TtySize? Tty(ExecOptions options, Stdio stdio)
    {
        if (!options.Tty)
        {
            return null;
        }

        var (cols, rows) = TerminalSize.Of(stdio.Input) ?? TerminalSize.Of(stdio.Output) ?? (80, 24);
        return new TtySize { Cols = cols, Rows = rows, Term = Environment.GetEnvironmentVariable("TERM") is { Length: > 0 } term ? term : null };
    }
}
