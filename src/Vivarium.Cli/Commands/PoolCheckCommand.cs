using System.CommandLine;
using System.Globalization;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv pool check</c>: exit code 0 when all is well, 1 when something is lost.</summary>
internal sealed class PoolCheckCommand : Verb
{
    private readonly Option<bool> _json = Opt.Json();

    public PoolCheckCommand()
        : base("check", "Reads the whole pool and compares it with its checksums, while sandboxes run. Exit code 0 when nothing is lost, 1 when something is.") => Options.Add(_json);

    public static Verb Make() => new PoolCheckCommand { Usage = "[flags]", Examples = [("viv pool check", "after trouble with the disk; minutes on a large pool")] };

    public override int Run(Invocation call)
    {
        using var host = call.Connect();
        PoolCheckReply found;
        using (var progress = new Progress(call.Messages, "reading the pool", quiet: false))
        {
            found = host.Call(HostMethod.PoolCheck, HostJson.Default.PoolCheckReply, new ConnectionWait(null, null, progress.Tick));
        }

        if (call.Json)
        {
            JsonOut.Print(call.Output, found, HostJson.Default.PoolCheckReply);
        }
        else
        {
            var fields = new Fields(call.Output);
            fields.Add("read", Humanize.Bytes(found.Bytes));
            fields.Add("errors", found.Errors.ToString(CultureInfo.InvariantCulture), found.Errors > 0 ? Style.Bad : null);
            fields.Add("repaired", found.Corrected.ToString(CultureInfo.InvariantCulture));
            fields.Add("lost", found.Uncorrectable.ToString(CultureInfo.InvariantCulture), found.Uncorrectable > 0 ? Style.Bad : null);
        }

        return found.Uncorrectable > 0 ? 1 : 0;
    }
}
