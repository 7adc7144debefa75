using System.CommandLine;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv template pull</c>: says what to do instead, until a registry can be asked.</summary>
internal sealed class TemplatePullCommand : Verb
{
    private readonly Argument<string> _image = Opt.One("IMAGE", "image of a registry");

    public TemplatePullCommand()
        : base("pull", "Not built yet: images come by 'viv template import'.") => Arguments.Add(_image);

    public static Verb Make() => new TemplatePullCommand { Usage = "IMAGE", Examples = [("viv template pull debian:12", "says what to do instead")] };

    public override int Run(Invocation call) => throw new VivariumException(
        ErrorCode.Unimplemented,
        $"pulling '{call.Get(_image)}' from a registry is not built yet",
        "'skopeo copy docker://IMAGE oci-archive:FILE', then 'viv template import FILE'",
        "pull_not_built");
}
