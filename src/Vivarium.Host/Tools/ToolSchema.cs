using System.Text.Json;
using System.Text.RegularExpressions;
using Vivarium.Host.Naming;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.Tools;

/// <summary>
/// The one place where arguments are held against a tool's schema. It knows the keywords our schemas use: type, properties, required, additionalProperties: false,
/// enum, minimum, maximum, minLength, maxLength, pattern, items, minItems, maxItems.
/// </summary>
internal static class ToolSchema
{
    /// <summary>Checks, and gives the arguments by their proper names.</summary>
    /// <exception cref="VivariumException">invalid_argument <c>bad_arguments</c>: names the argument and what it must be.</exception>
    public static ToolArguments Check(Tool tool, JsonElement? arguments)
    {
        var values = new Dictionary<string, JsonElement>();
        if (arguments is { ValueKind: not JsonValueKind.Null } given)
        {
            if (given.ValueKind != JsonValueKind.Object)
            {
                throw Bad(tool, "the arguments must be an object");
            }

            foreach (var member in given.EnumerateObject())
            {
                var name = tool.Aliases.GetValueOrDefault(member.Name, member.Name);
                if (member.Value.ValueKind == JsonValueKind.Null)
                {
                    continue; // as if it were not there: some clients send every member
                }

                if (!values.TryAdd(name, member.Value))
                {
                    throw Bad(tool, $"'{name}' is given twice");
                }
            }
        }

        var schema = tool.Info.Schema;
        var properties = schema.GetProperty("properties");
        foreach (var (name, value) in values)
        {
            if (!properties.TryGetProperty(name, out var property))
            {
                throw Bad(tool, $"there is no argument {NameRules.Quote(name)}");
            }

            if (Wrong(value, property) is { } wrong)
            {
                throw Bad(tool, $"'{name}' {wrong}");
            }
        }

        foreach (var required in schema.TryGetProperty("required", out var list) ? list.EnumerateArray() : default)
        {
            if (!values.ContainsKey(required.GetString()!))
            {
                throw Bad(tool, $"'{required.GetString()}' is missing");
            }
        }

        return new ToolArguments(values);
    }

    private static string? Wrong(JsonElement value, JsonElement schema) => schema.GetProperty("type").GetString() switch
    {
        "string" => WrongText(value, schema),
        "integer" => WrongNumber(value, schema),
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False ? null : "must be true or false",
        "array" => WrongList(value, schema),
        var other => throw new InvalidOperationException($"a schema has a type '{other}'"),
    };

    private static string? WrongText(JsonElement value, JsonElement schema)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            return "must be a string";
        }

        string text;
        try
        {
            text = value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return "is not valid Unicode";
        }

        if (schema.TryGetProperty("enum", out var words) && !words.EnumerateArray().Any(word => word.ValueEquals(text)))
        {
            return $"must be one of {string.Join(", ", words.EnumerateArray().Select(static word => word.GetString()))}";
        }

        if (schema.TryGetProperty("minLength", out var least) && text.Length < least.GetInt32())
        {
            return least.GetInt32() == 1 ? "must not be empty" : $"must have at least {least.GetInt32()} characters";
        }

        if (schema.TryGetProperty("maxLength", out var most) && text.Length > most.GetInt32())
        {
            return $"must have at most {most.GetInt32()} characters";
        }

        return schema.TryGetProperty("pattern", out var pattern) && !Regex.IsMatch(text, pattern.GetString()!, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)
            ? text.Contains('\0', StringComparison.Ordinal) ? "must not contain a NUL character"
                : text.StartsWith('-') ? "must not begin with '-'" : $"must match {pattern.GetString()}"
            : null;
    }

    private static string? WrongNumber(JsonElement value, JsonElement schema)
    {
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out var number))
        {
            return "must be an integer";
        }

        var least = schema.TryGetProperty("minimum", out var minimum) ? minimum.GetInt32() : int.MinValue;
        var most = schema.TryGetProperty("maximum", out var maximum) ? maximum.GetInt32() : int.MaxValue;
        return number >= least && number <= most ? null
            : most == int.MaxValue ? $"must be at least {least}" : $"must be from {least} to {most}";
    }

    private static string? WrongList(JsonElement value, JsonElement schema)
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            return "must be an array";
        }

        var count = value.GetArrayLength();
        if (schema.TryGetProperty("minItems", out var least) && count < least.GetInt32())
        {
            return least.GetInt32() == 1 ? "must not be empty" : $"must have at least {least.GetInt32()} items";
        }

        if (schema.TryGetProperty("maxItems", out var most) && count > most.GetInt32())
        {
            return $"must have at most {most.GetInt32()} items";
        }

        var items = schema.GetProperty("items");
        return value.EnumerateArray().Select(item => Wrong(item, items)).FirstOrDefault(static wrong => wrong is not null) is { } first ? $"has an item that {first}" : null;
    }

    private static VivariumException Bad(Tool tool, string what) => new(
        ErrorCode.InvalidArgument,
        $"calling tool {tool.Name}: {what}",
        "Its arguments: " + string.Join(", ", tool.Info.Schema.GetProperty("properties").EnumerateObject().Select(static p => p.Name)) + ".",
        "bad_arguments");
}
