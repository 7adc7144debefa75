using System.Text;
using Vivarium.Guest.Init;
using Vivarium.Linux;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Control;

/// <summary>
/// Secrets as files on tmpfs, in a directory only root enters. A secret appears whole under its name or not at all; while it is written it has a name that
/// begins with a dot, which no secret may. Nothing here logs a value.
/// </summary>
internal sealed class SecretStore(string directory)
{
    private const int MaxName = 128;
    private const int DefaultMode = 0x180; // 0600

    /// <summary>Writes or replaces one.</summary>
    public void Put(InjectSecretPayload secret)
    {
        CheckName(secret.Name);
        if (secret.Value is null)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"secret '{secret.Name}' has no value");
        }

        var mode = secret.Mode is null or 0 ? DefaultMode : secret.Mode.Value;
        if (mode is < 0 or > 0x1FF)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"mode {mode} of secret '{secret.Name}' is not a Unix mode between 1 and 511 (decimal; 384 is 0600)");
        }

        Prepare();
        var temporary = Path.Combine(directory, $".{Guid.NewGuid():N}");
        var bytes = Encoding.UTF8.GetBytes(secret.Value);
        try
        {
            using (var file = new FileStream(temporary, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                BufferSize = 0,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }))
            {
                file.Write(bytes);
            }

            File.SetUnixFileMode(temporary, (UnixFileMode)mode);
            File.Move(temporary, Path.Combine(directory, secret.Name), overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
        finally
        {
            bytes.AsSpan().Clear();
        }
    }

    /// <summary>Removes all: a fork does not inherit its source's.</summary>
    public void Clear()
    {
        if (Directory.Exists(directory) && new DirectoryInfo(directory).LinkTarget is null)
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static void CheckName(string? name)
    {
        if (string.IsNullOrEmpty(name) || name.Length > MaxName || name.StartsWith('.') || name.Any(static c => c is '/' or '\\' or '\0' || char.IsControl(c)))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"invalid secret name: \"{Printable(name)}\" (must be a simple filename)");
        }
    }

    private static string Printable(string? name) => new((name ?? "").Take(MaxName).Select(static c => char.IsControl(c) ? '?' : c).ToArray());

    private void Prepare()
    {
        const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Directory.CreateDirectory(directory, OwnerOnly);
        if (new DirectoryInfo(directory).LinkTarget is not null)
        {
            throw new LinuxException("use the secrets directory", directory, Errno.ELOOP);
        }

        File.SetUnixFileMode(directory, OwnerOnly);
        if (!SystemCalls.IsInMemory(directory))
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"'{directory}' is not on tmpfs; a secret is never written to disk");
        }
    }
}
