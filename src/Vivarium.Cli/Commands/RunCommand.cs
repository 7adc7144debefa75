using System.CommandLine;
using Vivarium.Cli.Copy;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Streams;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv run</c>: a fresh sandbox, the command in it, removed at the end however the end comes.</summary>
internal sealed class RunCommand : Verb
{
    /// <summary>Where a folder given to run lands.</summary>
    public const string Workspace = "/workspace";

    private readonly Argument<string?> _path = Opt.Maybe("PATH", "folder or git repository to bring to /workspace");
    private readonly Option<bool> _detach = Opt.Flag("--detach", "leave it running in the background and print its name", "-d");
    private readonly Option<bool> _keep = Opt.Flag("--keep", "do not remove the sandbox at the end");
    private readonly Option<bool> _remove = Opt.Flag("--rm", "remove the sandbox at the end (the default without -d)");
    private readonly Option<bool> _quiet = Opt.Flag("--quiet", "no progress", "-q");
    private readonly Option<string> _commandTimeout = Opt.Text("--command-timeout", "TIME", "kill the command and its children after this time");
    private readonly ProcessIo _io;
    private readonly SandboxFlags _flags;

    public RunCommand()
        : base("run", "Makes a fresh sandbox, runs the command in it (a login shell without one) and removes it. The command's exit code is ours.")
    {
        Arguments.Add(_path);
        _io = new ProcessIo(this);
        foreach (var option in new Option[] { _detach, _keep, _remove, _quiet, _commandTimeout })
        {
            Options.Add(option);
        }

        _flags = new SandboxFlags(this);
    }

    public static Verb Make() => new RunCommand
    {
        Usage = "[flags] [PATH] [-- CMD [ARG…]]",
        TakesCommand = true,
        Examples =
        [
            ("viv run -- uname -a", "one command"),
            ("viv run -it -- bash", "a terminal"),
            ("viv run ./repo -- make test", "the folder at /workspace, the command in it"),
            ("viv run --runtime gvisor --memory 512MiB --timeout 10m -- python3 job.py", "isolation and limits"),
            ("TOKEN=… viv run --secret TOKEN -- ./use-token", "a secret, in memory only"),
            ("viv run -d --name web -p 8000:8080 -- python3 -m http.server", "in the background, its port 8000 at 127.0.0.1:8080; 'viv logs web', 'viv rm -f web'"),
        ],
    };

    public override int Run(Invocation call)
    {
        var path = call.Get(_path);
        if (path is not null && !Directory.Exists(path))
        {
            throw File.Exists(path)
                ? new VivariumException(ErrorCode.InvalidArgument, $"{path} is a file; run takes a folder", "put a command after '--'")
                : new VivariumException(ErrorCode.NotFound, $"there is no folder {path}", $"to run a command, put it after '--': viv run -- {path}");
        }

        var detach = call.Get(_detach);
        if (call.Get(_remove) && (detach || call.Get(_keep)))
        {
            throw Invocation.Usage($"--rm and {(detach ? "--detach" : "--keep")} contradict each other", "without either, the sandbox is removed at the end");
        }

        var remove = !detach && !call.Get(_keep);
        var create = _flags.ToParams(call) with { EndWithCaller = remove ? true : null };
        var argv = call.Command ?? [];
        var options = detach ? new ExecOptions() : _io.Options(call, shell: argv.Count == 0);
        var request = new ExecRequest
        {
            Argv = argv,
            Cwd = path is not null && create.Workdir is null ? Workspace : null,
            Tty = ProcessIo.Tty(options, call.Stdio),
            Stdin = options.Stdin,
            TimeoutMs = Values.Duration(call.Get(_commandTimeout), "--command-timeout"),
            KillOnDisconnect = !detach,
        };
        using var signals = CommandRunner.Signals(options);
        using var host = call.Connect();
        var sandbox = SandboxCreation.Create(host, create, call, signals, call.Get(_quiet));
        if (!call.Get(_quiet))
        {
            PortText.Announce(sandbox, call.Messages);
        }

        try
        {
            if (path is not null)
            {
                using var progress = new Progress(call.Messages, $"copying {path} to {Workspace}", call.Get(_quiet));
                CopyIn.Folder(host, sandbox.Id, path, Workspace, create.User, progress, call.Messages, signals);
            }

            if (!detach)
            {
                return CommandRunner.Run(host, sandbox.Id, request, options, call, signals);
            }

            if (argv.Count > 0)
            {
                host.Call(HostMethod.Launch, new LaunchProcessParams { Ref = sandbox.Id, Request = request }, HostJson.Default.LaunchProcessParams, HostJson.Default.ProcessInfo);
            }

            call.Output.Line(sandbox.Name);
            return 0;
        }
        catch when (detach)
        {
            remove = true;
            throw;
        }
        finally
        {
            if (remove)
            {
                Remove(call, sandbox);
            }
            else if (call.Get(_keep))
            {
                call.Messages.Line($"viv: sandbox {sandbox.Name} is kept; 'viv rm -f {sandbox.Name}' removes it").Flush();
            }
        }
    }

    /// <summary>Removes it over a connection of its own: the first may be in the middle of an answer, or the daemon may have been restarted.</summary>
    private static void Remove(Invocation call, SandboxInfo sandbox)
    {
        try
        {
            using var host = call.Connect();
            host.Call(
                HostMethod.Destroy,
                new DestroyParams { Ref = sandbox.Id, Force = true, Now = true },
                HostJson.Default.DestroyParams,
                HostJson.Default.Empty,
                new Interop.ConnectionWait(TimeSpan.FromSeconds(60)));
        }
        catch (Exception e) when (e is RemoteException or VivariumException)
        {
            if (App.Describe(e).Code != ErrorCodes.ToText(ErrorCode.NotFound))
            {
                call.Messages.Line($"viv: sandbox {sandbox.Name} could not be removed: {e.Message}; 'viv rm -f {sandbox.Name}' tries again").Flush();
            }
        }
    }
}
