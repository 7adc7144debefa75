using System.Text;
using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Install;

/// <summary>The manual page, made from the same descriptions as the help. Source: man(7).</summary>
internal static class ManPage
{
    /// <summary>All of <c>viv.1</c>.</summary>
    public static string Text()
    {
        var page = new StringBuilder();
        page.Append(".TH VIV 1 \"\" \"Vivarium ").Append(AppVersion.Text).Append("\" \"User Commands\"\n");
        page.Append(".SH NAME\nviv \\- disposable sandboxes for agents and untrusted code\n");
        page.Append(".SH SYNOPSIS\n.B viv\n.I COMMAND\n[flags] [arguments]\n");
        page.Append(".SH DESCRIPTION\nEvery command that prints data takes \\fB\\-\\-json\\fR. Sandboxes are named by name, id or unambiguous prefix.\n");
        foreach (var group in Verbs.All.GroupBy(verb => verb.Group))
        {
            page.Append(".SH ").Append(Plain(group.Key.ToUpperInvariant())).Append('\n');
            foreach (var verb in group.Select(entry => entry.Make()))
            {
                Command(page, verb, "viv " + verb.Name);
                foreach (var sub in verb.Subcommands.OfType<Verb>())
                {
                    Command(page, sub, $"viv {verb.Name} {sub.Name}");
                }
            }
        }

        page.Append(".SH EXIT STATUS\nThat of the command that was run; 125 when viv itself failed, 126 and 127 when a command cannot be run or is not found, 128+n for a signal.\n");
        page.Append(".SH FILES\n.TP\n.I /etc/vivarium/config.toml\nThe configuration; also \\fB\\-\\-config\\fR and VIVARIUM_CONFIG.\n.TP\n.I /var/lib/vivarium\nState of the daemon.\n.TP\n.I /run/vivarium/vivd.sock\nIts socket.\n");
        return page.ToString();
    }

    private static void Command(StringBuilder page, Verb verb, string path)
    {
        page.Append(".SS ").Append(Plain(path)).Append('\n').Append(Plain($"{path} {verb.Usage}".TrimEnd())).Append("\n.PP\n").Append(Plain(verb.Description ?? "")).Append('\n');
        foreach (var option in verb.Options.Where(option => !option.Hidden))
        {
            var names = string.Join(", ", option.Aliases.Where(alias => alias.Length == 2 && alias != option.Name).Append(option.Name));
            page.Append(".TP\n\\fB").Append(Plain(names)).Append("\\fR").Append(option.HelpName is { } value ? " \\fI" + Plain(value) + "\\fR" : "").Append('\n').Append(Plain(option.Description ?? "")).Append('\n');
        }

        foreach (var (line, meaning) in verb.Examples)
        {
            page.Append(".PP\n.RS\n.nf\n").Append(Plain(line)).Append("\n.fi\n").Append(Plain(meaning)).Append("\n.RE\n");
        }
    }

    /// <summary>Text that roff takes as it is: ASCII, no escapes, and no line that begins like a request.</summary>
    private static string Plain(string text)
    {
        var escaped = text.Replace("\\", "\\e", StringComparison.Ordinal).Replace("…", "...", StringComparison.Ordinal).Replace("-", "\\-", StringComparison.Ordinal).Replace("'", "\\(aq", StringComparison.Ordinal)
            .Replace("`", "\\(ga", StringComparison.Ordinal).Replace("^", "\\(ha", StringComparison.Ordinal).Replace("~", "\\(ti", StringComparison.Ordinal);
        return escaped.StartsWith('.') ? "\\&" + escaped : escaped;
    }
}
