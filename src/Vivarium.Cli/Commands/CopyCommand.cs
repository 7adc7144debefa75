using System.CommandLine;
using Vivarium.Cli.Copy;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Terminal;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv cp</c>.</summary>
internal sealed class CopyCommand : Verb
{
    private readonly Argument<string[]> _paths = new("SRC") { HelpName = "SRC… DST", Description = "SANDBOX:PATH, a path here, or - for a tar stream", Arity = new ArgumentArity(2, 10_000) };
    private readonly Option<bool> _archive = Opt.Flag("--archive", "keep owners and set-user-id bits (as root)", "-a");
    private readonly Option<string> _user = Opt.Text("--user", "USER", "with the rights of this user of the sandbox", "-u");
    private readonly Option<bool> _quiet = Opt.Flag("--quiet", "no progress", "-q");

    public CopyCommand()
        : base("cp", "Copies files and folders into a sandbox or out of it, with modes, times and links. A folder onto an existing folder goes into it; 'dir/.' means its content.")
    {
        Arguments.Add(_paths);
        Options.Add(_archive);
        Options.Add(_user);
        Options.Add(_quiet);
    }

    public static Verb Make() => new CopyCommand
    {
        Usage = "[flags] SRC… DST",
        Examples =
        [
            ("viv cp notes.txt quiet-fox:/workspace/", "a file in"),
            ("viv cp quiet-fox:/workspace/out ./results", "a folder out"),
            ("viv cp src/. quiet-fox:/workspace", "what is in src, not src itself"),
            ("git archive HEAD | viv cp - quiet-fox:/workspace", "a tar stream in"),
            ("viv cp quiet-fox:/etc - | tar t", "a tar stream out"),
        ],
    };

    public override int Run(Invocation call)
    {
        var paths = call.Get(_paths)!.Select(CopyPath.Parse).ToArray();
        var sources = paths[..^1];
        var target = paths[^1];
        var outwards = sources[0].Sandbox is not null;
        if (sources.Any(source => source.Sandbox is not null != outwards) || outwards == target.Sandbox is not null)
        {
            throw Invocation.Usage("cp copies between this machine and a sandbox", "one side is SANDBOX:PATH, the other a path here or -");
        }

        if (sources.Length > 1 && paths.Any(path => path.IsStream))
        {
            throw Invocation.Usage("a tar stream is copied alone");
        }

        using var signals = SignalPipe.ForInterrupts();
        using var host = call.Connect();
        using var progress = new Progress(call.Messages, "copying", call.Get(_quiet));
        foreach (var source in sources)
        {
            if (outwards)
            {
                var copy = new CopyOut(host, source.Sandbox!, call.Get(_user), call.Get(_archive), progress, call.Messages, signals);
                if (!target.IsStream)
                {
                    copy.Copy(source.Path, target.Path, sources.Length > 1);
                }
                else if (!copy.Stream(source.Path, call.Stdio.Output))
                {
                    return 128 + 13;
                }
            }
            else
            {
                var copy = new CopyIn(host, target.Sandbox!, call.Get(_user), call.Get(_archive), progress, call.Messages, signals);
                if (source.IsStream)
                {
                    copy.Stream(target.Path, call.Stdio.Input);
                }
                else
                {
                    copy.Copy(source.Path, target.Path, sources.Length > 1);
                }
            }
        }

        return 0;
    }
}
