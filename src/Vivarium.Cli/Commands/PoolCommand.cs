using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv pool</c>.</summary>
internal static class PoolCommand
{
    public static Verb Make() => new VerbGroup(
        "pool",
        "The pool: where the files of sandboxes, templates and snapshots live.",
        PoolShowCommand.Make(),
        PoolGrowCommand.Make(),
        PoolCheckCommand.Make())
    {
        Usage = "COMMAND",
        Examples = [("viv pool show", "how full it is"), ("viv pool grow 200GiB", "more room, while sandboxes run")],
    };
}
