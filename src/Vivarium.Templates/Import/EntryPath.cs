using System.Text;

namespace Vivarium.Templates.Import;

/// <summary>
/// Name of an entry, checked: relative, without <c>..</c>, every step of a length the kernel takes. Text is a byte string (a character a byte), as in
/// <see cref="Linux.Tar.TarEntry"/>. The root itself is empty.
/// </summary>
internal readonly record struct EntryPath(string Text)
{
    private const int LongestStep = 255;
    private const int LongestPath = 4095;

    internal bool IsRoot => Text.Length == 0;

    /// <summary>The last step.</summary>
    internal string Name => Text[(Text.LastIndexOf('/') + 1)..];

    internal EntryPath Parent => new(Text.LastIndexOf('/') is var slash && slash < 0 ? "" : Text[..slash]);

    /// <summary>The last step, NUL at its end.</summary>
    internal byte[] NameBytes => NameOf(Name);

    /// <summary>The whole, without NUL.</summary>
    internal byte[] Bytes => Encoding.Latin1.GetBytes(Text);

    internal static byte[] NameOf(string step) => [.. Encoding.Latin1.GetBytes(step), 0];

    internal EntryPath Child(string name) => new(IsRoot ? name : $"{Text}/{name}");

    /// <summary>Checks a name as it stands in an archive.</summary>
    internal static EntryPath Parse(string name)
    {
        if (name.StartsWith('/') || name.Length == 0)
        {
            throw ImportErrors.Unsafe(name, "has an absolute name");
        }

        if (name.Contains('\0'))
        {
            throw ImportErrors.Unsafe(name, "has a zero byte in its name");
        }

        var steps = name.Split('/').Where(step => step.Length > 0 && step != ".").ToList();
        if (steps.Contains(".."))
        {
            throw ImportErrors.Unsafe(name, "has '..' in its name");
        }

        if (steps.Count > ImportLimits.MaxDepth || steps.Any(step => step.Length > LongestStep) || name.Length > LongestPath)
        {
            throw ImportErrors.Unsafe(name, "has a name that is too long or too deep");
        }

        return new EntryPath(string.Join('/', steps));
    }
}
