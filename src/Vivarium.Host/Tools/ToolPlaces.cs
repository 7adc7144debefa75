using Vivarium.Transport.Guest;
using Vivarium.Wire.Guest;

namespace Vivarium.Host.Tools;

/// <summary>Where commands of tools run.</summary>
internal static class ToolPlaces
{
    /// <summary>The directory of the argument <c>cwd</c>, absolute; null: the sandbox's working directory, which the guest knows.</summary>
    public static async Task<string?> DirectoryAsync(ToolRun run, CancellationToken cancellationToken)
    {
        if (run.Arguments.MaybeText("cwd") is not { } wanted)
        {
            return null;
        }

        var path = run.Path(wanted);
        if (path.StartsWith('/'))
        {
            return path;
        }

        // Below the home directory of the sandbox's user, which only the guest knows.
        await using var files = await ToolFiles.OpenAsync(run, cancellationToken).ConfigureAwait(false);
        return (await files.StatAsync(path, null, noFollow: false, cancellationToken).ConfigureAwait(false)).Path;
    }
}

/// <summary>The files port.</summary>
internal static class ToolFiles
{
    /// <summary>Opens it.</summary>
    public static async Task<FilesClient> OpenAsync(ToolRun run, CancellationToken cancellationToken) =>
        new(await run.Link.ConnectAsync(GuestPort.Files, cancellationToken).ConfigureAwait(false));
}
