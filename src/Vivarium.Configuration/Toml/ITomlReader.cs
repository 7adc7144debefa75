namespace Vivarium.Configuration.Toml;

/// <summary>Reads TOML text. The seam at which a library could take over from <see cref="TomlReader"/>.</summary>
public interface ITomlReader
{
    /// <summary>Reads a document; never throws for bad text: what is wrong stands in <see cref="TomlDocument.Errors"/>.</summary>
    TomlDocument Read(string text);
}
