namespace Vivarium.Templates.Recipes;

/// <summary>The recipes we bring.</summary>
internal static class BuiltInRecipes
{
    internal static IReadOnlyList<ITemplateRecipe> All(TemplateOptions options) => [new BaseRecipe(options), new TinyRecipe(options)];
}
