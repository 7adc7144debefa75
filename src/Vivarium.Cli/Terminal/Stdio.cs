namespace Vivarium.Cli.Terminal;

/// <summary>The three standard descriptors; tests give others.</summary>
internal sealed record Stdio(int Input = 0, int Output = 1, int Error = 2);
