namespace Vivarium.Cli.Install;

/// <summary>One thing an installation or its removal does. Steps that are done already are not shown and not run, so that repeating changes nothing.</summary>
/// <param name="Action">A word: <c>write, link, copy, remove, run, stop</c>.</param>
/// <param name="Target">Path, or command line.</param>
/// <param name="Why">Half a sentence for people.</param>
/// <param name="IsDone">Whether there is nothing to do.</param>
/// <param name="Do">Does it.</param>
internal sealed record InstallStep(string Action, string Target, string Why, Func<bool> IsDone, Action Do);
