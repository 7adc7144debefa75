using System.CommandLine;
using System.Globalization;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv pool show</c>.</summary>
internal sealed class PoolShowCommand : Verb
{
    private readonly Option<bool> _json = Opt.Json();

    public PoolShowCommand()
        : base("show", "Shows how full the pool is and how it is. From 85 % it is degraded; from 95 % new sandboxes are refused, removing always works.") => Options.Add(_json);

    public static Verb Make() => new PoolShowCommand { Usage = "[flags]", Examples = [("viv pool show --json", "for scripts")] };

    public override int Run(Invocation call)
    {
        using var host = call.Connect();
        Print(call, host.Call(HostMethod.Pool, HostJson.Default.PoolInfo));
        return 0;
    }

    public static void Print(Invocation call, PoolInfo pool)
    {
        if (call.Json)
        {
            JsonOut.Print(call.Output, pool, HostJson.Default.PoolInfo);
            return;
        }

        var fields = new Fields(call.Output);
        fields.Add("store", pool.Store);
        fields.Add("directory", pool.Path);
        fields.Add("state", pool.State, Style.ForState(pool.State));
        fields.Add("message", pool.State == "healthy" ? null : pool.Message);
        fields.Add("size", Humanize.Bytes(pool.TotalBytes));
        fields.Add("used", $"{Humanize.Bytes(pool.UsedBytes)} ({Humanize.Percent(pool.TotalBytes == 0 ? 0 : (double)pool.UsedBytes / pool.TotalBytes)})");
        fields.Add("free", Humanize.Bytes(pool.FreeBytes));
        fields.Add("sandboxes", pool.Sandboxes.ToString(CultureInfo.InvariantCulture));
        fields.Add("templates", pool.Templates.ToString(CultureInfo.InvariantCulture));
        fields.Add("snapshots", pool.Snapshots.ToString(CultureInfo.InvariantCulture));
        fields.Add("can", string.Join(", ", new[] { pool.CanSnapshot ? "snapshot" : null, pool.CanLimit ? "limit disk" : null }.OfType<string>()));
    }
}
