using System.CommandLine;

namespace Vivarium.Cli.Parsing;

/// <summary><c>--memory</c> and <c>--no-memory</c>; neither: whatever the snapshot has.</summary>
internal sealed class MemoryFlags(string with, string without)
{
    private readonly Option<bool> _with = Opt.Flag("--memory", with);
    private readonly Option<bool> _without = Opt.Flag("--no-memory", without);

    public void AddTo(Command verb)
    {
        verb.Options.Add(_with);
        verb.Options.Add(_without);
    }

    public bool? Of(Invocation call) => (call.Get(_with), call.Get(_without)) switch
    {
        (true, true) => throw Invocation.Usage("--memory and --no-memory exclude each other"),
        (true, _) => true,
        (_, true) => false,
        _ => null,
    };
}
