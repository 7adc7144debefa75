using System.CommandLine;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Streams;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv exec</c>: a command in a running sandbox.</summary>
internal sealed class ExecCommand : Verb
{
    private readonly Argument<string> _sandbox = Opt.One("SANDBOX", "name, id or unambiguous prefix");
    private readonly Argument<string[]> _words = Opt.Any("CMD", "the command, when it has no flags of its own");
    private readonly Option<string> _user = Opt.Text("--user", "USER", "run as this user", "-u");
    private readonly Option<string> _workdir = Opt.Text("--workdir", "DIR", "working directory", "-w");
    private readonly Option<string[]> _env = Opt.Many("--env", "K[=V]", "environment variable; without a value: ours", "-e");
    private readonly Option<string[]> _envFile = Opt.Many("--env-file", "FILE", "file of K=V lines");
    private readonly Option<string> _timeout = Opt.Text("--timeout", "TIME", "kill the command and its children after this time");
    private readonly Option<string> _tag = Opt.Text("--tag", "WORD", "name to find the process by");
    private readonly Option<bool> _detach = Opt.Flag("--detach", "start it in the background and print its process id; its output goes to 'viv logs'", "-d");
    private readonly ProcessIo _io;

    public ExecCommand()
        : base("exec", "Runs a command in a running sandbox. Its exit code is ours: 128+n for a signal, 127 not found, 126 not executable, 125 viv failed.")
    {
        Arguments.Add(_sandbox);
        Arguments.Add(_words);
        _io = new ProcessIo(this);
        foreach (var option in new Option[] { _user, _workdir, _env, _envFile, _timeout, _tag, _detach })
        {
            Options.Add(option);
        }
    }

    public static Verb Make() => new ExecCommand
    {
        Usage = "[flags] SANDBOX -- CMD [ARG…]",
        TakesCommand = true,
        Examples =
        [
            ("viv exec quiet-fox -- ls -la /workspace", "a command in the sandbox quiet-fox"),
            ("viv exec -it quiet-fox -- vim notes.txt", "a full-screen program"),
            ("tar c src | viv exec quiet-fox -- tar x -C /tmp", "standard input goes through"),
            ("viv exec -d --tag web quiet-fox -- python3 -m http.server", "in the background, logged"),
        ],
    };

    public override int Run(Invocation call)
    {
        string[] argv = [.. call.Get(_words) ?? [], .. call.Command ?? []];
        if (argv.Length == 0)
        {
            throw Invocation.Usage("exec needs a command", "viv exec SANDBOX -- CMD; 'viv shell SANDBOX' opens a shell");
        }

        var sandbox = call.Get(_sandbox)!;
        var detach = call.Get(_detach);
        var options = detach ? new ExecOptions() : _io.Options(call, shell: false);
        var request = new ExecRequest
        {
            Argv = argv,
            Cwd = call.Get(_workdir),
            Env = EnvironmentFlags.Read(call.Get(_env), call.Get(_envFile)),
            User = call.Get(_user),
            Tty = ProcessIo.Tty(options, call.Stdio),
            Stdin = options.Stdin,
            TimeoutMs = Values.Duration(call.Get(_timeout), "--timeout"),
            Tag = call.Get(_tag),
            KillOnDisconnect = !detach,
        };
        using var host = call.Connect();
        if (!detach)
        {
            using var signals = CommandRunner.Signals(options);
            return CommandRunner.Run(host, sandbox, request, options, call, signals);
        }

        var reply = host.Call(HostMethod.Launch, new LaunchProcessParams { Ref = sandbox, Request = request }, HostJson.Default.LaunchProcessParams, HostJson.Default.ProcessInfo);
        call.Output.Line(reply.Pid.ToString(System.Globalization.CultureInfo.InvariantCulture));
        return 0;
    }
}
