using System.Text;
using Vivarium.Guest.Exec;
using Vivarium.Guest.Init;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Control;

/// <summary>Adds a key to a user's <c>~/.ssh/authorized_keys</c>, keeping those that are there. Format: sshd(8), AUTHORIZED_KEYS.</summary>
internal static class SshKeys
{
    private const int MaxKey = 16 * 1024;

    private static readonly string[] Types =
    [
        "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    ];

    /// <summary>Adds it; a key that is there already is not added twice.</summary>
    public static void Add(UserLookup users, InjectSshKeyPayload payload)
    {
        var key = Check(payload);
        var user = users.Resolve(payload.User);
        var directory = Path.Combine(user.Home, ".ssh");
        var file = Path.Combine(directory, "authorized_keys");
        if (!Directory.Exists(user.Home))
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"home directory '{user.Home}' of user '{user.Name}' does not exist");
        }

        // The home belongs to the user, who may have put links there for us to follow.
        if (new DirectoryInfo(directory).LinkTarget is not null || new FileInfo(file).LinkTarget is not null)
        {
            throw new VivariumException(ErrorCode.PermissionDenied, $"'{file}' or its directory is a symbolic link");
        }

        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        SystemCalls.ChangeOwner(directory, user.Uid, user.Gid);
        var lines = File.Exists(file) ? File.ReadAllLines(file) : [];
        if (lines.Contains(key))
        {
            return;
        }

        var temporary = Path.Combine(directory, $".authorized_keys.{Guid.NewGuid():N}");
        try
        {
            using (var stream = new FileStream(temporary, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }))
            {
                stream.Write(Encoding.UTF8.GetBytes(string.Join('\n', [.. lines, key, ""])));
                stream.Flush(flushToDisk: true);
            }

            SystemCalls.ChangeOwner(temporary, user.Uid, user.Gid);
            File.Move(temporary, file, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private static string Check(InjectSshKeyPayload payload)
    {
        if (string.IsNullOrEmpty(payload.User) || string.IsNullOrEmpty(payload.PublicKey))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, "an SSH key needs user and public_key");
        }

        var key = payload.PublicKey.Trim('\r', '\n', ' ');
        var parts = key.Split(' ', 3, StringSplitOptions.RemoveEmptyEntries);
        var valid = key.Length <= MaxKey && !key.Any(char.IsControl) && parts.Length >= 2 && Types.Contains(parts[0])
            && Convert.TryFromBase64String(parts[1], new byte[parts[1].Length], out _);
        return valid
            ? key
            : throw new VivariumException(ErrorCode.InvalidArgument, "public_key must be one line of a known key type: ssh-ed25519, ssh-rsa, ecdsa-sha2-nistp*, sk-*");
    }
}
