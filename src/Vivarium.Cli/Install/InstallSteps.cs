using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Cli.Interop;
using Vivarium.Linux.Files;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Install;

/// <summary>Makes steps. Everything that is written appears whole, by a rename; what runs keeps its old file.</summary>
internal static class InstallSteps
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Executable = Readable | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");
    private static readonly TimeSpan CommandTime = TimeSpan.FromMinutes(2);

    /// <summary>A text file with this content.</summary>
    public static InstallStep Write(string path, string text, string why) => new(
        "write", path, why,
        () => File.Exists(path) && File.ReadAllText(path) == text,
        () =>
        {
            MakeParent(path);
            AtomicFile.Write(path, text, Readable);
        });

    /// <summary>The same, but a file that is there is somebody's work and stays.</summary>
    public static InstallStep WriteOnce(string path, string text, string why) => Write(path, text, why) with { IsDone = () => File.Exists(path) };

    /// <summary>A program.</summary>
    public static InstallStep Program(string source, string path, string why) => new(
        "copy", path, why,
        () => File.Exists(path) && SameContent(source, path),
        () =>
        {
            MakeParent(path);
            AtomicFile.Write(path, File.ReadAllBytes(source), Executable);
        });

    /// <summary>A symbolic link, moved over in one step.</summary>
    public static InstallStep Link(string path, string target, string why) => new(
        "link", path, $"{why} (to {target})",
        () => new FileInfo(path).LinkTarget == target,
        () =>
        {
            MakeParent(path);
            var fresh = Fresh(path);
            File.CreateSymbolicLink(fresh, target);

            // File.Move does not move a link that leads to a directory.
            if (Posix.rename(fresh, path) != 0)
            {
                var why = Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());
                File.Delete(fresh);
                throw new VivariumException(ErrorCode.Internal, $"the link {path} cannot be made: {why}");
            }
        });

    /// <summary>Removes a file, a link or a whole directory.</summary>
    public static InstallStep Remove(string path, string why) => new(
        "remove", path, why,
        () => !Path.Exists(path) && new FileInfo(path).LinkTarget is null,
        () =>
        {
            if (Directory.Exists(path) && new DirectoryInfo(path).LinkTarget is null)
            {
                Directory.Delete(path, recursive: true);
            }
            else
            {
                File.Delete(path);
            }
        });

    /// <summary>Runs a command; when it fails, so does the installation.</summary>
    public static InstallStep Run(string why, Func<bool> isDone, params string[] command) => new("run", string.Join(' ', command), why, isDone, () =>
    {
        // A command line program that has nothing else to do meanwhile.
        var output = ChildRun.RunAsync(command[0], command[1..], new ChildRunOptions { Timeout = CommandTime }, CancellationToken.None).GetAwaiter().GetResult();
        if (!output.Succeeded)
        {
            throw new VivariumException(ErrorCode.Internal, $"'{string.Join(' ', command)}' failed: {output.Summary}", "What was done before stays; correct the cause and call this again.", "install_step_failed");
        }
    });

    public static void MakeParent(string path)
    {
        // With the usual mode whatever the umask: an installation by a careful root must still be readable.
        var missing = new Stack<string>();
        for (var at = Path.GetDirectoryName(path); at is not null && !Directory.Exists(at); at = Path.GetDirectoryName(at))
        {
            missing.Push(at);
        }

        foreach (var directory in missing)
        {
            Directory.CreateDirectory(directory);
            File.SetUnixFileMode(directory, Executable);
        }
    }

    public static bool SameContent(string one, string other)
    {
        if (new FileInfo(one).Length != new FileInfo(other).Length)
        {
            return false;
        }

        return File.ReadAllBytes(one).AsSpan().SequenceEqual(File.ReadAllBytes(other));
    }

    /// <summary>A short name for the content of a directory.</summary>
    public static string Fingerprint(string directory)
    {
        using var hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
        foreach (var file in Directory.EnumerateFiles(directory).Order(StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes(Path.GetFileName(file) + "\0"));
            hash.AppendData(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file)));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset())[..12];
    }

    /// <summary>A directory of programs under a name of its own, complete or not there.</summary>
    public static InstallStep Tree(string source, string path, string why) => new(
        "copy", path, why,
        () => Directory.Exists(path) && Fingerprint(path) == Fingerprint(source),
        () =>
        {
            MakeParent(path);
            var fresh = Fresh(path);
            try
            {
                Directory.CreateDirectory(fresh);
                File.SetUnixFileMode(fresh, Executable);
                foreach (var file in Directory.EnumerateFiles(source))
                {
                    var copy = Path.Combine(fresh, Path.GetFileName(file));
                    AtomicFile.Write(copy, File.ReadAllBytes(file), File.GetUnixFileMode(file).HasFlag(UnixFileMode.UserExecute) ? Executable : Readable);
                }

                // One that is there is damaged: its name says what it should hold.
                var damaged = Fresh(path);
                if (Directory.Exists(path))
                {
                    Directory.Move(path, damaged);
                }

                Directory.Move(fresh, path);
                Remove(damaged, why).Do();
            }
            catch when (Directory.Exists(fresh))
            {
                Directory.Delete(fresh, recursive: true);
                throw;
            }
        });

    /// <summary>Removes what an installation that was killed, or lost its power, left half done beside these files.</summary>
    public static InstallStep Sweep(string[] paths, string why)
    {
        List<string> Left() => [.. paths.Where(path => Directory.Exists(Path.GetDirectoryName(path))).SelectMany(Unfinished).Distinct()];
        return new InstallStep("remove", paths[0] + ".*", why, () => Left().Count == 0, () =>
        {
            foreach (var path in Left())
            {
                Remove(path, why).Do();
            }
        });
    }

    /// <summary>The name something has until it is complete. AtomicFile's are of the same form, with a dot before.</summary>
    private static string Fresh(string path) => $"{path}.{Guid.NewGuid():N}";

    private static IEnumerable<string> Unfinished(string path)
    {
        var name = Path.GetFileName(path);
        return Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(path)!).Where(found => Path.GetFileName(found).TrimStart('.') is var entry
            && entry.Length > 33 && entry[^33] == '.' && entry.AsSpan()[^32..].IndexOfAnyExcept(HexDigits) < 0
            && (entry[..^33] == name || (name == "vivd" && entry.StartsWith("vivd-", StringComparison.Ordinal))));
    }
}
