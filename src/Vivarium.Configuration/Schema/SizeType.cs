using Vivarium.Configuration.Toml;
using Vivarium.Configuration.Values;

namespace Vivarium.Configuration.Schema;

/// <summary>An amount of bytes within a range; a bare integer counts bytes; an optional one may be empty.</summary>
internal sealed class SizeType(ByteSize min, ByteSize max, bool optional = false) : ConfigType
{
    public override object? Read(TomlNode node) =>
        node is TomlScalar { Value: long bytes } ? Check(new ByteSize(bytes)) : Parse(Text(node, "a size such as \"512MiB\""));

    public override object? Parse(string text)
    {
        if (optional && text.Length == 0)
        {
            return null;
        }

        return ByteSize.TryParse(text, out var size) ? Check(size) : throw new FormatException($"must be a size such as \"512MiB\" or \"1.5GiB\", not {Quote(text)}");
    }

    public override string Format(object? value) => Quote(value?.ToString() ?? "");

    private ByteSize Check(ByteSize size) =>
        size >= min && size <= max ? size : throw new FormatException($"must be {min} to {max}, not {size}");
}
