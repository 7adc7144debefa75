using System.CommandLine;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Streams;
using Vivarium.Wire.Guest;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv shell</c>: a login shell in a running sandbox.</summary>
internal sealed class ShellCommand : Verb
{
    private readonly Argument<string> _sandbox = Opt.One("SANDBOX", "name, id or unambiguous prefix");
    private readonly Option<string> _user = Opt.Text("--user", "USER", "log in as this user", "-u");
    private readonly Option<string> _workdir = Opt.Text("--workdir", "DIR", "working directory", "-w");
    private readonly Option<string[]> _env = Opt.Many("--env", "K[=V]", "environment variable; without a value: ours", "-e");

    public ShellCommand()
        : base("shell", "Opens the user's login shell in a running sandbox; piped input is run as a script.")
    {
        Arguments.Add(_sandbox);
        Options.Add(_user);
        Options.Add(_workdir);
        Options.Add(_env);
    }

    public static Verb Make() => new ShellCommand
    {
        Usage = "[flags] SANDBOX",
        Examples = [("viv shell quiet-fox", "a terminal in the sandbox"), ("viv shell -u user quiet-fox < setup.sh", "a script, as the user 'user'")],
    };

    public override int Run(Invocation call)
    {
        var terminal = Interop.Fd.IsTerminal(call.Stdio.Input);
        var options = new ExecOptions { Stdin = true, Tty = terminal };
        var request = new ExecRequest
        {
            Cwd = call.Get(_workdir),
            Env = EnvironmentFlags.Read(call.Get(_env), null),
            User = call.Get(_user),
            Tty = ProcessIo.Tty(options, call.Stdio),
            Stdin = true,
            KillOnDisconnect = true,
        };
        using var host = call.Connect();
        using var signals = CommandRunner.Signals(options);
        return CommandRunner.Run(host, call.Get(_sandbox)!, request, options, call, signals);
    }
}
