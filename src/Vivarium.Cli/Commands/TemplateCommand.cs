using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv template</c>.</summary>
internal static class TemplateCommand
{
    public static Verb Make() => new VerbGroup(
        "template",
        "Templates: the root filesystems sandboxes are made from.",
        TemplateListCommand.Make(),
        TemplateShowCommand.Make(),
        TemplateBuildCommand.Make(),
        TemplateImportCommand.Make(),
        TemplateExportCommand.Make(),
        TemplatePullCommand.Make(),
        TemplateTagCommand.Make(),
        TemplateRemoveCommand.Make())
    {
        Usage = "COMMAND",
        Examples = [("viv template ls", "what there is"), ("viv template build base", "make the Debian template now instead of on first use")],
    };
}
