namespace Vivarium.Templates;

/// <summary>What an import made.</summary>
/// <param name="Record">The template.</param>
/// <param name="Warnings">What was left out or ignored, a sentence each.</param>
public sealed record ImportedTemplate(TemplateRecord Record, IReadOnlyList<string> Warnings);
