namespace Vivarium.Cli.Parsing;

/// <summary>A verb that only holds others, such as <c>template</c>.</summary>
internal sealed class VerbGroup : Verb
{
    public VerbGroup(string name, string description, params Verb[] verbs)
        : base(name, description)
    {
        foreach (var verb in verbs)
        {
            Subcommands.Add(verb);
        }
    }

    public override int Run(Invocation call) => throw Invocation.Usage(
        $"'{call.Path}' needs a command: {string.Join(", ", Subcommands.Select(verb => verb.Name))}",
        $"'{call.Path} --help' describes them");
}
