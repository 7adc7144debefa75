using System.Runtime.InteropServices;

namespace Vivarium.Linux.Processes;

/// <summary>Signal numbers (x86-64 and arm64) and sending to processes that are not our children. Source: signal(7), kill(2).</summary>
public static class Signals
{
#pragma warning disable CS1591 // The names are the documentation.
    public const int SIGHUP = 1;
    public const int SIGINT = 2;
    public const int SIGQUIT = 3;
    public const int SIGILL = 4;
    public const int SIGTRAP = 5;
    public const int SIGABRT = 6;
    public const int SIGBUS = 7;
    public const int SIGFPE = 8;
    public const int SIGKILL = 9;
    public const int SIGUSR1 = 10;
    public const int SIGSEGV = 11;
    public const int SIGUSR2 = 12;
    public const int SIGPIPE = 13;
    public const int SIGALRM = 14;
    public const int SIGTERM = 15;
    public const int SIGCHLD = 17;
    public const int SIGCONT = 18;
    public const int SIGSTOP = 19;
    public const int SIGTSTP = 20;
    public const int SIGTTIN = 21;
    public const int SIGTTOU = 22;
    public const int SIGWINCH = 28;
    public const int SIGSYS = 31;
#pragma warning restore CS1591

    private static readonly string[] Names =
    [
        "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT",
        "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];

    /// <summary><c>SIGTERM</c> for 15; the number for one without a name.</summary>
    public static string Name(int signal) => signal > 0 && signal < Names.Length ? "SIG" + Names[signal] : $"{signal}";

    /// <summary>Reads <c>15</c>, <c>TERM</c>, <c>SIGTERM</c> (any case); null when it is none of 1 to 64.</summary>
    public static int? Parse(string text)
    {
        if (int.TryParse(text, System.Globalization.NumberStyles.None, null, out var number))
        {
            return number is >= 1 and <= 64 ? number : null;
        }

        var name = text.StartsWith("SIG", StringComparison.OrdinalIgnoreCase) ? text[3..] : text;
        var index = Array.FindIndex(Names, n => n.Length > 0 && n.Equals(name, StringComparison.OrdinalIgnoreCase));
        return index > 0 ? index : null;
    }

    /// <summary>Sends a signal to a process (positive), a process group (negative) or, with -1, everything the caller may signal; false when nothing is there.</summary>
    public static bool Send(int pid, int signal)
    {
        if (ReaperNative.Kill(pid, signal) == 0)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() == Errno.ESRCH ? false : throw LinuxException.Last("kill", $"{pid}");
    }
}
