using System.Text;

namespace Vivarium.Linux.Tar;

/// <summary>Between ordinary text (UTF-8 on disk) and byte strings, where each character is one byte.</summary>
public static class TarText
{
    /// <summary>The byte string of a text.</summary>
    public static string ToBytes(string text) => System.Text.Ascii.IsValid(text) ? text : Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));

    /// <summary>The text of a byte string; bytes that are no UTF-8 become U+FFFD.</summary>
    public static string FromBytes(string bytes) => System.Text.Ascii.IsValid(bytes) ? bytes : Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(bytes));
}
