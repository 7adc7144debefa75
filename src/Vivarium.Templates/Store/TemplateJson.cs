using System.Text.Json.Serialization;

namespace Vivarium.Templates.Store;

/// <summary>Records on disk.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TemplateRecord))]
[JsonSerializable(typeof(SortedDictionary<string, string>))]
internal sealed partial class TemplateJson : JsonSerializerContext;
