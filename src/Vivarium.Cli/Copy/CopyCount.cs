using System.Globalization;
using Vivarium.Cli.Output;

namespace Vivarium.Cli.Copy;

/// <summary>What has been copied so far, shown now and then.</summary>
internal sealed class CopyCount(Progress progress, string title)
{
    private const int EntriesPerLook = 64;

    public long Entries { get; private set; }

    public long Bytes { get; private set; }

    public void Entry()
    {
        if (++Entries % EntriesPerLook == 0)
        {
            Show();
        }
    }

    public void Content(int bytes)
    {
        var before = Bytes >> 22;
        Bytes += bytes;
        if (Bytes >> 22 != before)
        {
            Show();
        }
    }

    private void Show() => progress.Report($"{title}: {Entries.ToString("N0", CultureInfo.InvariantCulture)} entries, {Humanize.Bytes(Bytes)}", null);
}
