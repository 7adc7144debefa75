using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Vivarium.Host.Naming;
using Vivarium.Wire.Errors;

namespace Vivarium.Daemon.Http.Sessions;

/// <summary>
/// Bearer tokens: the service's own, and one for each session that follows from it (<c>vst_SANDBOX_MAC</c>), so that none is stored. A session's token ends with its sandbox, whose
/// id is never used again. Compared in constant time, as hashes, so that not even a length shows.
/// </summary>
internal sealed class SessionTokens
{
    private const string Scheme = "Bearer ";
    private const string Prefix = "vst_";
    private const int MinLength = 16;
    private const int MaxLength = 4096;
    private static readonly SessionCaller Everything = new(Only: null);

    private readonly byte[]? hash;
    private readonly byte[]? key;

    private SessionTokens(string? token)
    {
        if (token is not null)
        {
            hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));
            key = HMACSHA256.HashData(Encoding.UTF8.GetBytes(token), "vivarium session token v1"u8);
        }
    }

    /// <summary>Reads the token from its file; without a file every caller is let in.</summary>
    /// <exception cref="VivariumException">The file cannot be used; the daemon does not start then.</exception>
    public static SessionTokens Load(string file)
    {
        if (file.Length == 0)
        {
            return new SessionTokens(null);
        }

        string text;
        try
        {
            if ((File.GetUnixFileMode(file) & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.GroupWrite)) != 0)
            {
                throw Bad(file, "others may read or write it", $"chmod 600 {file}");
            }

            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var buffer = new byte[MaxLength + 2];
            text = Encoding.UTF8.GetString(buffer, 0, stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false)).TrimEnd('\r', '\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Bad(file, $"it cannot be read ({e.GetType().Name})", "Make it: head -c 32 /dev/urandom | base64 >FILE, readable by the daemon only.", e);
        }

        return text.Length is >= MinLength and <= MaxLength && text.All(static c => c is > ' ' and <= '~')
            ? new SessionTokens(text)
            : throw Bad(file, $"the token must be one line of {MinLength} to {MaxLength} printable ASCII characters without spaces", "Make one: head -c 32 /dev/urandom | base64 >FILE");
    }

    /// <summary>Who the header says calls.</summary>
    public SessionCaller Admit(string? authorization)
    {
        if (hash is null)
        {
            return Everything;
        }

        if (authorization is not null && authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            var given = authorization[Scheme.Length..].Trim();
            if (CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(given)), hash))
            {
                return Everything;
            }

            if (given.Length > Prefix.Length + SandboxId.Length && given.StartsWith(Prefix, StringComparison.Ordinal)
                && SandboxId.TryParse(given.Substring(Prefix.Length, SandboxId.Length), out var id)
                && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(given)), SHA256.HashData(Encoding.UTF8.GetBytes(Of(id)!))))
            {
                return new SessionCaller(id.Value);
            }
        }

        throw new VivariumException(ErrorCode.Unauthenticated, "missing or invalid authorization token", "Send the header: authorization: Bearer TOKEN", "bad_token");
    }

    /// <summary>The token of one session; null when the service has none itself.</summary>
    public string? Of(SandboxId id) => key is null ? null : $"{Prefix}{id.Value}_{Base64Url.EncodeToString(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(id.Value)))}";

    private static VivariumException Bad(string file, string what, string hint, Exception? inner = null) => new(
        ErrorCode.InvalidArgument, $"reading the token of the session service from {file} (sessions.token_file): {what}", hint, "bad_token_file", inner);
}
