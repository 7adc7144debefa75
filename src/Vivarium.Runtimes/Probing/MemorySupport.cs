using System.Globalization;

namespace Vivarium.Runtimes.Probing;

/// <summary>
/// Which versions of runsc save a sandbox's memory and bring it back as we need it: the sandbox goes on after it was saved, and over another root file system and other pipes
/// after it was restored. Measured: 20240729 does, with systrap and ptrace; 20221219 ends the sandbox when it saves a paused one. In between nothing was tried.
/// </summary>
internal static class MemorySupport
{
    /// <summary>First version known to work, by the date it is called by.</summary>
    public const int FirstDate = 20240729;

    private const int DateDigits = 8;

    /// <summary>Whether a version such as <c>0.0~20240729.0</c> or <c>release-20240729.0</c> does.</summary>
    public static bool Of(string? version)
    {
        var digits = (version ?? "").Split(['~', '.', '-', '+']).FirstOrDefault(static part => part.Length == DateDigits && part.All(char.IsAsciiDigit));
        return digits is not null && int.Parse(digits, CultureInfo.InvariantCulture) >= FirstDate;
    }
}
