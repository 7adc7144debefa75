using Vivarium.Linux.Processes;
using Vivarium.Wire.Errors;

namespace Vivarium.Templates.Store;

/// <summary>Root file systems as tar archives in a directory, so that a test machine makes <c>base</c> once. Broken archives are thrown away.</summary>
internal sealed class TemplateArchive(string directory)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(5);
    private static readonly string[] Format = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls"];

    private string PathOf(string recipe, string key) => Path.Combine(directory, $"{recipe}-{key}.tar");

    /// <summary>Fills an empty root from the archive; false when there is none.</summary>
    internal async Task<bool> TryExtractAsync(string recipe, string key, string root, CancellationToken cancellationToken)
    {
        var path = PathOf(recipe, key);
        if (!File.Exists(path))
        {
            return false;
        }

        var run = await ChildRun.RunAsync(
            "tar", ["-x", "-p", .. Format, "-f", path, "-C", root], new ChildRunOptions { Timeout = Deadline }, cancellationToken).ConfigureAwait(false);
        if (run.Succeeded)
        {
            return true;
        }

        File.Delete(path);
        throw new VivariumException(
            ErrorCode.DataLoss, $"the template archive '{path}' could not be read and has been removed: tar {run.Summary}", "build again");
    }

    /// <summary>Writes an archive; its name appears when it is whole.</summary>
    internal async Task StoreAsync(string recipe, string key, string root, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(directory);
        var path = PathOf(recipe, key);
        var partial = $"{path}.{Guid.NewGuid():N}.partial";
        try
        {
            var run = await ChildRun.RunAsync(
                "tar", ["-c", .. Format, "-f", partial, "-C", root, "."], new ChildRunOptions { Timeout = Deadline }, cancellationToken).ConfigureAwait(false);
            if (!run.Succeeded)
            {
                throw new VivariumException(ErrorCode.Internal, $"writing the template archive '{path}' failed: tar {run.Summary}");
            }

            File.Move(partial, path, overwrite: true);
        }
        finally
        {
            File.Delete(partial);
        }
    }
}
