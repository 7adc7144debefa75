using System.Globalization;
using System.Text;

namespace Vivarium.Templates.Recipes;

/// <summary>
/// Reads what mmdebstrap, apt and dpkg say and turns it into progress: the stage from mmdebstrap's own lines, the fraction within a stage by counting
/// packages against the number apt announced. The stages' shares of the whole are measured ones.
/// </summary>
internal sealed class DebootstrapProgress(Action<TemplateProgress> report)
{
    private const int MaximumLine = 4096;
    private const int KeptErrors = 8;
    private static readonly Encoding Utf8 = new UTF8Encoding(false, false);

    private readonly Lock gate = new();
    private readonly StringBuilder[] partial = [new(), new()];
    private readonly Queue<string> errors = new();
    private Part part = new("prepare", 0, 0.02, "");
    private int announced;
    private int counted;
    private double reached;

    /// <summary>What went wrong, as apt and mmdebstrap said it.</summary>
    internal string Errors
    {
        get
        {
            lock (gate)
            {
                return string.Join("; ", errors);
            }
        }
    }

    /// <summary>Takes output as it comes.</summary>
    internal void Take(ReadOnlyMemory<byte> bytes, int number)
    {
        lock (gate)
        {
            var buffer = partial[number == 2 ? 1 : 0];
            foreach (var character in Utf8.GetString(bytes.Span))
            {
                if (character is '\n' or '\r')
                {
                    Line(buffer.ToString());
                    buffer.Clear();
                }
                else if (buffer.Length < MaximumLine)
                {
                    buffer.Append(character);
                }
            }
        }
    }

    private void Line(string line)
    {
        if (line.StartsWith("E: ", StringComparison.Ordinal) || line.StartsWith("dpkg: error", StringComparison.Ordinal))
        {
            errors.Enqueue(line);
            if (errors.Count > KeptErrors)
            {
                errors.Dequeue();
            }
        }
        else if (line.StartsWith("I: ", StringComparison.Ordinal))
        {
            Announce(line);
        }
        else if (line.Contains(" newly installed, ", StringComparison.Ordinal))
        {
            // Zero is apt upgrading one package in between; the count that matters is still the one before.
            announced = NumberBefore(line, " newly installed, ") is var number and > 0 ? number : announced;
        }
        else if (line.StartsWith("Get:", StringComparison.Ordinal))
        {
            Count("download", line.Split(' ') is { Length: > 5 } words && !line.Contains("Packages", StringComparison.Ordinal) ? words[4] : "package lists");
        }
        else if (line.StartsWith("Unpacking ", StringComparison.Ordinal))
        {
            Move("extract");
            Count("extract", line.Split(' ')[1]);
        }
        else if (line.StartsWith("Setting up ", StringComparison.Ordinal))
        {
            Move("configure");
            Count("configure", line.Split(' ')[2]);
        }
    }

    /// <summary>mmdebstrap's own words for what it begins.</summary>
    private void Announce(string line)
    {
        Part? next = line switch
        {
            _ when line.StartsWith("I: running apt-get update", StringComparison.Ordinal) => new Part("index", 0.02, 0.06, "reading package lists"),
            _ when line.StartsWith("I: downloading packages", StringComparison.Ordinal) => new Part("download", 0.06, 0.1, "downloading the essential packages"),
            _ when line.StartsWith("I: extracting archives", StringComparison.Ordinal) => new Part("extract", 0.1, 0.14, "extracting the essential packages"),
            _ when line.StartsWith("I: installing essential packages", StringComparison.Ordinal) => new Part("configure", 0.14, 0.5, "configuring the essential packages"),
            _ when line.StartsWith("I: installing remaining packages", StringComparison.Ordinal) => new Part("download", 0.5, 0.56, "downloading the other packages"),
            _ when line.StartsWith("I: cleaning", StringComparison.Ordinal) => new Part("finish", 0.93, 0.94, "cleaning up"),
            _ => null,
        };
        if (next is not null)
        {
            part = next;
            counted = 0;
            Report(part.Message);
        }
    }

    /// <summary>In the second half dpkg unpacks and configures without mmdebstrap saying so.</summary>
    private void Move(string stage)
    {
        if (part.From < 0.5 || part.Stage == stage || part.Stage == "finish")
        {
            return;
        }

        part = stage == "extract" ? new Part("extract", 0.56, 0.76, "") : new Part("configure", 0.76, 0.93, "");
        counted = 0;
    }

    private void Count(string stage, string what)
    {
        if (part.Stage == stage || (part.Stage == "index" && stage == "download"))
        {
            counted++;
            Report(stage switch
            {
                "download" => $"downloading {what}",
                "extract" => $"unpacking {what}",
                _ => $"setting up {what}",
            });
        }
    }

    private void Report(string message)
    {
        var done = announced == 0 || part.Stage == "index" ? 0 : Math.Min(1.0, (double)counted / announced);
        reached = Math.Max(reached, Math.Round(part.From + ((part.To - part.From) * done), 3));
        report(new TemplateProgress(part.Stage, reached, message));
    }

    private static int NumberBefore(string line, string mark)
    {
        var end = line.IndexOf(mark, StringComparison.Ordinal);
        var start = line.AsSpan(0, end).LastIndexOf(' ') + 1;
        return int.TryParse(line.AsSpan(start, end - start), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
    }

    private sealed record Part(string Stage, double From, double To, string Message);
}
