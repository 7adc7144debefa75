using System.Globalization;
using System.Text;

namespace Vivarium.Daemon.Listening;

/// <summary>The daemon's pid for people and scripts. The lock file, not this, says whether a daemon runs.</summary>
internal static class PidFile
{
    /// <summary>Writes it in one step.</summary>
    public static void Write(string path)
    {
        var fresh = path + ".new";
        using (var file = new FileStream(fresh, FileMode.Create, FileAccess.Write))
        {
            file.Write(Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n"));
        }

        File.Move(fresh, path, overwrite: true);
    }
}
