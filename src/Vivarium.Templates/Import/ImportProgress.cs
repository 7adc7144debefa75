namespace Vivarium.Templates.Import;

/// <summary>Progress at a rate people and clients can take: the first of each stage, then some twenty a second at most.</summary>
internal sealed class ImportProgress(Action<TemplateProgress>? report, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    private long last;
    private string stage = "";

    internal void Report(string newStage, double? fraction, string message)
    {
        if (newStage == stage && last != 0 && time.GetElapsedTime(last) < Interval)
        {
            return;
        }

        (stage, last) = (newStage, time.GetTimestamp());
        report?.Invoke(new TemplateProgress(newStage, fraction, message));
    }
}
