using Vivarium.Configuration;
using Vivarium.Wire.Errors;

namespace Vivarium.Daemon;

/// <summary><c>vivd run [--config FILE]</c> and <c>vivd --version</c>. Exit codes: 0 stopped in order, 125 could not start, 64 wrong usage.</summary>
internal static class DaemonProgram
{
    private const int WrongUsage = 64;
    private const int CannotStart = 125;

    /// <summary>Runs the command.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        if (args is ["--version"])
        {
            await Console.Out.WriteLineAsync("vivd " + ProgramVersion.Text).ConfigureAwait(false);
            return 0;
        }

        string? file = null;
        switch (args)
        {
            case ["run"]:
                break;
            case ["run", "--config", var named]:
                file = named;
                break;
            default:
                await Console.Error.WriteLineAsync("usage: vivd run [--config FILE] | vivd --version").ConfigureAwait(false);
                return WrongUsage;
        }

        try
        {
            var config = ConfigLoader.Load(ConfigSources.OfThisProcess(file));
            return await new DaemonHost(config, TimeProvider.System).RunAsync().ConfigureAwait(false);
        }
        catch (VivariumException e)
        {
            await Console.Error.WriteLineAsync($"vivd: {e.Message}{(e.Hint is null ? string.Empty : "\n  " + e.Hint)}").ConfigureAwait(false);
            return CannotStart;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full or read-only disk, directories of somebody else: the machine's fault, so a sentence instead of a stack trace.
            await Console.Error.WriteLineAsync($"vivd: starting the daemon: {e.Message}\n  Look at the disk and the permissions of paths.state and paths.runtime.").ConfigureAwait(false);
            return CannotStart;
        }
    }
}
