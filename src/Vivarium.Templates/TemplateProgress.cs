namespace Vivarium.Templates;

/// <summary>How far a build is.</summary>
/// <param name="Stage">Stable word: <c>prepare, index, download, extract, configure, finish, digest, import, commit</c>; of an import <c>open, decompress, unpack, digest, commit</c>; of an export <c>export</c>.</param>
/// <param name="Fraction">0 to 1 of the whole build; absent when unknown.</param>
/// <param name="Message">For people.</param>
public sealed record TemplateProgress(string Stage, double? Fraction, string Message);
