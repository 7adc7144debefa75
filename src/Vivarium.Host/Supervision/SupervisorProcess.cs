using System.Globalization;
using System.Text;

namespace Vivarium.Host.Supervision;

/// <summary>Finds the supervisor of a runtime directory that cannot be asked, by its command line (<c>viv-supervisor DIRECTORY</c>). Source: proc(5).</summary>
internal static class SupervisorProcess
{
    /// <summary>Its pid; 0 when there is none.</summary>
    public static int Find(SupervisorFiles files)
    {
        var wanted = Encoding.UTF8.GetBytes($"viv-supervisor\0{files.Directory}\0");
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && HasCommandLine(directory, wanted))
            {
                return pid;
            }
        }

        return 0;
    }

    private static bool HasCommandLine(string directory, byte[] wanted)
    {
        try
        {
            return File.ReadAllBytes(Path.Combine(directory, "cmdline")).AsSpan().SequenceEqual(wanted);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It ended while we looked.
            return false;
        }
    }
}
