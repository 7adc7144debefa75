namespace Vivarium.Templates.Recipes;

/// <summary>Makes one built-in root file system.</summary>
internal interface ITemplateRecipe
{
    /// <summary>Name, also the default name of what it makes.</summary>
    string Name { get; }

    /// <summary>What it makes says of itself.</summary>
    TemplateMetadata Metadata { get; }

    /// <summary>Text that changes whenever the same recipe would make something else: the key of archives in a cache. Null: too quick to be worth one.</summary>
    string? CacheKey();

    /// <summary>Fills an empty directory. Cancelling ends everything it started and leaves nothing mounted.</summary>
    /// <exception cref="Wire.Errors.VivariumException">What is missing or went wrong, with what to do.</exception>
    Task MakeAsync(string root, Action<TemplateProgress> progress, CancellationToken cancellationToken);
}
