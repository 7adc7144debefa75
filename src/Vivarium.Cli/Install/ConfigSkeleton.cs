using System.Text;
using Vivarium.Configuration;

namespace Vivarium.Cli.Install;

/// <summary>A configuration file with every key, its default and its meaning, all commented out.</summary>
internal static class ConfigSkeleton
{
    public static string Text()
    {
        var defaults = ConfigLoader.Read(new ConfigSources { File = "/dev/null", Environment = new Dictionary<string, string>(), Privileged = true }).Config.Settings;
        var text = new StringBuilder("# Configuration of Vivarium. What is commented out is the default. 'viv config check' says whether the file is right;\n# the daemon reads it when it starts: viv daemon restart (sandboxes go on running).\n");
        foreach (var section in defaults.GroupBy(setting => setting.Key.Split('.')[0]))
        {
            text.Append("\n[").Append(section.Key).Append("]\n");
            foreach (var setting in section)
            {
                text.Append("# ").Append(setting.Description).Append("\n#").Append(setting.Key.AsSpan(section.Key.Length + 1)).Append(" = ").Append(setting.Value).Append('\n');
            }
        }

        return text.ToString();
    }
}
