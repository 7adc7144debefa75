using System.CommandLine;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv pool grow</c>.</summary>
internal sealed class PoolGrowCommand : Verb
{
    private readonly Argument<string> _size = Opt.One("SIZE", "new size of the whole pool, such as 200GiB");
    private readonly Option<bool> _json = Opt.Json();

    public PoolGrowCommand()
        : base("grow", "Makes a pool in a file larger, while sandboxes run. It is sparse: it takes what is in it. A pool is never made smaller.")
    {
        Arguments.Add(_size);
        Options.Add(_json);
    }

    public static Verb Make() => new PoolGrowCommand { Usage = "[flags] SIZE", Examples = [("viv pool grow 200GiB", "to 200 GiB in all")] };

    public override int Run(Invocation call)
    {
        var wanted = new PoolGrowParams { TotalBytes = Values.Size(call.Get(_size), "SIZE")!.Value };
        using var host = call.Connect();
        PoolShowCommand.Print(call, host.Call(HostMethod.PoolGrow, wanted, HostJson.Default.PoolGrowParams, HostJson.Default.PoolInfo));
        return 0;
    }
}
